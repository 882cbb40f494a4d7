import AttentionCore

/// Geometries that belong to this package.
extension ModelPreset {
  static let small: [ModelPreset] = [
    ModelPreset(
      geometry: .tiny, source: "this package: small enough for every test, six layers for hybrids"),
    ModelPreset(
      geometry: .embedded, source: "this package: the byte-level model that it carries"),
  ]
}

extension ModelGeometry {
  /// Four query heads of 16, six layers: every sample of the notation is valid on it.
  public static let tiny = ModelGeometry(
    name: "tiny", layers: 6, hidden: 64, queryHeads: 4, keyValueHeads: 4, headWidth: 16,
    mlpWidth: 160, vocabulary: 256, tiedEmbeddings: true, maxPositions: 1_024)

  /// The byte-level model that the package carries.
  public static let embedded = ModelGeometry(
    name: "embedded", layers: 6, hidden: 256, queryHeads: 8, keyValueHeads: 8, headWidth: 32,
    mlpWidth: 576, vocabulary: 256, tiedEmbeddings: true, maxPositions: 1_024)
}
