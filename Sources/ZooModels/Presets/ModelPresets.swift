import AttentionCore

/// The models that the package knows by name.
public enum ModelPresets {
  /// Every preset, the package's own first, then by family.
  public static let all: [ModelPreset] =
    ModelPreset.small + ModelPreset.llama + ModelPreset.mistral + ModelPreset.qwen
    + ModelPreset.gemma + ModelPreset.latent + ModelPreset.other

  /// The preset of a name, whatever its case: `llama-3.2-1b`.
  /// - Throws: `UnknownModelError` with the names that come near.
  public static func preset(named name: String) throws(UnknownModelError) -> ModelPreset {
    let wanted = name.lowercased()
    guard let preset = all.first(where: { $0.name == wanted }) else {
      throw UnknownModelError(name: name, known: all.map(\.name))
    }
    return preset
  }

  /// The geometry of a name, whatever its case.
  /// - Throws: as `preset(named:)`.
  public static func geometry(named name: String) throws(UnknownModelError) -> ModelGeometry {
    try preset(named: name).geometry
  }
}

/// A model name that no preset has.
public struct UnknownModelError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The name as given.
  public let name: String
  /// The names that come nearest; all of them where none is near.
  public let suggestions: [String]
  private let near: Bool

  init(name: String, known: [String]) {
    // Long enough for any name; keeps the distances cheap.
    let wanted = String(name.prefix(64)).lowercased()
    let ranked =
      known
      .map { (name: $0, distance: Self.distance(Array(wanted.utf8), Array($0.utf8))) }
      .filter {
        $0.distance <= max(2, wanted.utf8.count / 3)
          || (wanted.utf8.count >= 3 && $0.name.contains(wanted))
      }
      .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
    self.name = name
    near = !ranked.isEmpty
    suggestions = near ? ranked.prefix(5).map(\.name) : known
  }

  /// One line with what was expected.
  public var description: String {
    let list = suggestions.joined(separator: ", ")
    return near
      ? "no model \"\(name.prefix(64))\"; did you mean \(list)?"
      : "no model \"\(name.prefix(64))\"; expected one of \(list)"
  }

  /// Edits that turn one name into the other (Levenshtein).
  private static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
    var row = Array(0...second.count)
    for (index, byte) in first.enumerated() {
      var diagonal = row[0]
      row[0] = index + 1
      for column in second.indices {
        let kept = diagonal + (byte == second[column] ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(kept, row[column] + 1, diagonal + 1)
      }
    }
    return row[second.count]
  }
}
