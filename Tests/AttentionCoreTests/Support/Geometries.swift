import AttentionCore

extension ModelGeometry {
  /// A geometry of which only the attention matters.
  static func attention(
    _ name: String, layers: Int, queryHeads: Int, keyValueHeads: Int? = nil, headWidth: Int,
    latentHeads: LatentHeadWidths? = nil
  ) -> ModelGeometry {
    ModelGeometry(
      name: name, layers: layers, hidden: queryHeads * headWidth, queryHeads: queryHeads,
      keyValueHeads: keyValueHeads ?? queryHeads, headWidth: headWidth, mlpWidth: 64,
      vocabulary: 256, tiedEmbeddings: true, maxPositions: 4096, latentHeads: latentHeads)
  }

  /// What registered samples are valid on: 4 query heads of width 16, 6 layers.
  static let small = attention("small", layers: 6, queryHeads: 4, headWidth: 16)

  /// Llama-2-7B.
  static let llama2 = attention("llama-2-7b", layers: 32, queryHeads: 32, headWidth: 128)

  /// DeepSeek-V3, heads of 128 + 64 and values of 128.
  static let deepSeek3 = attention(
    "deepseek-v3", layers: 61, queryHeads: 128, headWidth: 128,
    latentHeads: LatentHeadWidths(nope: 128, rope: 64, value: 128))
}

extension AxisRegistry {
  /// The layouts of `notation` on `geometry`.
  func layouts(_ notation: String, on geometry: ModelGeometry) throws -> [KVLayout] {
    try variant(notation).layouts(for: geometry)
  }
}

extension [KVLayout] {
  /// Bytes that one more token adds to a whole model inside every window.
  var bytesPerToken: Int { reduce(0) { $0 + $1.idealBytesPerToken } }

  /// Bytes that the token after `context` adds.
  func bytesOfToken(after context: Int) -> Int {
    reduce(0) { $0 + $1.idealBytes(context: context + 1) - $1.idealBytes(context: context) }
  }
}
