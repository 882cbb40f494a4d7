import ArgumentParser
import ZooHarness
import ZooModels

/// How latent rows are factorised.
struct FactorisationOptions: ParsableArguments {
  @Flag(help: "Factorise the weights alone, without calibration: far worse at equal rank.")
  var weightsOnly = false
  @Option(help: "calibrated, weights-only or both, separated by commas.")
  var methods: String?
  @Option(
    help: "Neighbouring frequencies that a shared RoPE slice treats as equal; measured by default.")
  var fold: Int?
  @Option(
    help: """
      Frequencies of a shared RoPE slice, stock, by-energy or both; stock (those that DeepSeek code \
      can say) by default where possible.
      """)
  var frequencies: String?
  @Option(help: "Share of the mean energy added in every direction of the hidden state.")
  var damping: Double = 0.01
  @Option(
    help: "Ranks that keep this share of the energy in every layer, the target's rank at most.")
  var energy: Double?
  @Option(
    help: """
      Ranks for so many cached bytes a token in all layers, spread where they cost least, the \
      target's rank at most; several to compare.
      """)
  var kvBytes: String?
  @Flag(
    help: "Compares every latent target with one of the same bytes, spread where they cost least.")
  var spread = false

  func combinations() throws -> [ConversionOptions] {
    guard !weightsOnly || methods == nil else {
      throw UsageError("--weights-only and --methods exclude each other")
    }
    guard damping >= 0, damping <= 1 else {
      throw UsageError("--damping \(damping): expected 0 to 1")
    }
    guard fold ?? 1 >= 1 else { throw UsageError("--fold: expected a number from 1") }
    let chosen: [ConversionOptions.Method] =
      try methods.map { try Self.list($0, "--methods") }
      ?? [weightsOnly ? .weightsOnly : .calibrated]
    let kinds: [ConversionOptions.Frequencies?] =
      try frequencies.map { try Self.list($0, "--frequencies") } ?? [nil]
    return chosen.flatMap { method in
      kinds.map {
        ConversionOptions(method: method, damping: damping, fold: fold, frequencies: $0)
      }
    }
  }

  func rules() throws -> [RankRule] {
    guard energy == nil || kvBytes == nil else {
      throw UsageError("--energy and --kv-bytes exclude each other")
    }
    if let energy {
      guard energy > 0, energy <= 1 else {
        throw UsageError("--energy \(energy): expected more than 0 and at most 1")
      }
      return [.energy(energy)]
    }
    guard let kvBytes else { return [.named] }
    return try kvBytes.split(separator: ",", omittingEmptySubsequences: false).map { item in
      guard let bytes = Quantity.bytes(String(item)) else {
        throw UsageError("--kv-bytes \(kvBytes): expected bytes such as 40000 or 32KiB")
      }
      return .keyValueBytes(bytes)
    }
  }

  private static func list<Value: RawRepresentable & CaseIterable>(
    _ text: String, _ flag: String
  ) throws -> [Value] where Value.RawValue == String {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      guard let value = Value(rawValue: String(word)) else {
        let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
        throw UsageError("\(flag) \(text): expected \(known)")
      }
      return value
    }
  }
}
