import AttentionCore
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooRecords

/// The models of a fidelity section and the text that they are scored on.
struct FidelitySource {
  /// What is compared with: a model in its own variant, rows kept in float32.
  let original: DecoderModel
  /// What is scored, before any conversion: the original, or the model of another folder.
  let subject: DecoderModel
  let tokens: [Int32]
  /// Bytes of each token; nil where the text is not known.
  let byteCounts: [Int32]?
  /// Whether a token is a byte, so that nats a token say nothing beside bits a byte.
  let isByteLevel: Bool
  /// Identifies the text.
  let textHash: String

  /// Loads what a section names.
  /// - Throws: `HarnessError`, `CheckpointError`, `OutOfMemory`.
  init(_ section: Suite.Fidelity, pool: WorkerPool) throws {
    let subject = try ModelFolder(section.model).load(format: .float32, pool: pool)
    let other = try section.against.map {
      try ModelFolder($0).load(format: .float32, pool: pool)
    }
    let vocabulary = subject.geometry.vocabulary
    if let other, let against = section.against, other.geometry.vocabulary != vocabulary {
      throw HarnessError(
        .badData,
        "\(section.model): vocabulary of \(vocabulary), expected \(other.geometry.vocabulary), "
          + "that of \(against)")
    }
    let plain = other ?? subject
    original = try plain.storingRows(as: plain.variant.storing(CodecPair(Float32Codec())))
    self.subject = other == nil ? original : subject
    let (source, isByteLevel) = try Self.text(section, vocabulary: vocabulary)
    try source.check(vocabulary: vocabulary)
    guard EvaluationProtocol.segments(tokens: source.ids.count) > 0 else {
      throw HarnessError(
        .badData,
        "\(source.path): \(source.ids.count) \(isByteLevel ? "bytes" : "tokens"), expected at least "
          + "\(EvaluationProtocol.segment)")
    }
    tokens = source.ids.map { Int32($0) }
    byteCounts = source.byteCounts
    self.isByteLevel = isByteLevel
    textHash = CaseKey.hash(tokens.map { String($0) }.joined(separator: " "))
  }

  /// The tokens of a section's text, and whether each is a byte.
  private static func text(
    _ section: Suite.Fidelity, vocabulary: Int
  ) throws -> (source: TokenSource, isByteLevel: Bool) {
    let folders = [section.model, section.against].compactMap { $0 }.map { ModelFolder($0) }
    if let path = section.tokens {
      // Ids need no tokenizer: one that cannot be read, or is of another kind, leaves bytes unknown.
      let tokenizer = folders.lazy.compactMap {
        (try? $0.tokenizer(vocabulary: vocabulary)) ?? nil
      }.first
      let source = try TokenSource(tokenFile: path, tokenizer: tokenizer)
      return (source, tokenizer is ByteTokenizer)
    }
    var found: (any Tokenizer)?
    for folder in folders where found == nil {
      found = try folder.tokenizer(vocabulary: vocabulary)
    }
    let tokenizer = try found ?? folders[0].requiredTokenizer(vocabulary: vocabulary)
    let path = try section.text ?? EmbeddedModel.evaluationTextPath()
    return (try TokenSource(textFile: path, tokenizer: tokenizer), tokenizer is ByteTokenizer)
  }

  /// The model as one of the section's variants.
  /// - Throws: `NotationError`, `ConversionError`, `LAPACKError`, `OutOfMemory`.
  func model(_ variant: Variant) throws -> DecoderModel { try subject.asVariant(variant) }

  /// Bytes of the scored tokens of each segment; nil where the text is not known or stands for none.
  func scoredBytes(segments: Int) -> [Int]? {
    guard let byteCounts else { return nil }
    let sums = (0..<segments).map { segment in
      let end = (segment + 1) * EvaluationProtocol.segment
      return byteCounts[end - EvaluationProtocol.scored..<end].reduce(0) { $0 + Int($1) }
    }
    return sums.allSatisfy { $0 > 0 } ? sums : nil
  }
}
