import AttentionCore

/// The word `own` in a list of variants: a model's own variant, its codec named or not.
public enum OwnVariant {
  /// The word.
  public static let word = "own"

  /// Reads a variant, or `own`, or `own@codec`, on a geometry.
  /// - Throws: `NotationError`.
  public static func variant(
    _ text: String, on geometry: ModelGeometry, registry: AxisRegistry = .standard
  ) throws(NotationError) -> Variant {
    if text == word { return try registry.variant(geometry.native) }
    guard text.hasPrefix(word + "@") else { return try registry.variant(text) }
    let codec = try registry.variant("mha" + text.dropFirst(word.utf8.count))
    guard let pair = codec.uniform?.codec else { return codec }
    return try registry.variant(geometry.native).storing(pair)
  }
}
