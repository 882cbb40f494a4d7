import AttentionCore

extension ModelGeometry {
  /// The geometry of a Hugging Face configuration, its own variant in the notation.
  ///
  /// Under MLA the head's width is the position-free one, as with the presets; d_n, d_r and d_v are
  /// in `latentHeads`.
  /// - Parameter name: what lists and result rows call the model.
  public init(_ config: HFConfig, name: String) {
    var latent: LatentHeadWidths?
    if config.architecture.isLatent, let nope = config.nopeHeadDimension,
      let rope = config.ropeHeadDimension, let value = config.valueHeadDimension
    {
      latent = LatentHeadWidths(nope: nope, rope: rope, value: value)
    }
    self.init(
      name: name, layers: config.layerCount, hidden: config.hiddenSize,
      queryHeads: config.headCount, keyValueHeads: config.keyValueHeadCount,
      headWidth: latent?.nope ?? config.headDimension, mlpWidth: config.intermediateSize,
      vocabulary: config.vocabularySize, tiedEmbeddings: config.tiesEmbeddings,
      maxPositions: config.maximumPositions, native: config.notation, latentHeads: latent)
  }
}

extension HFConfig {
  /// The variant that the weights are stored as, in the notation.
  public var notation: String {
    if let native { return native.variant }
    let heads = headNotation
    guard let slidingWindow else { return heads }
    let windows = (0..<layerCount).map { window(ofLayer: $0) != nil }
    if let round = Self.round(of: windows) {
      return round.global == 0
        ? "\(heads)/swa:\(slidingWindow)"
        : "\(heads)/hybrid:\(round.window):\(round.global):\(slidingWindow)"
    }
    var items: [(text: String, count: Int)] = []
    for hasWindow in windows {
      let text = hasWindow ? "\(heads)/swa:\(slidingWindow)" : heads
      if items.last?.text == text {
        items[items.count - 1].count += 1
      } else {
        items.append((text, 1))
      }
    }
    if items.count == 1 { return items[0].text }
    return "["
      + items.map { $0.count == 1 ? $0.text : "\($0.text)*\($0.count)" }.joined(separator: ",")
      + "]"
  }

  private var headNotation: String {
    if architecture.isLatent, let rank = keyValueLatentRank, let rope = ropeHeadDimension {
      return "mla:\(rank)+\(rope)"
    }
    if keyValueHeadCount == headCount { return "mha" }
    return keyValueHeadCount == 1 ? "mqa" : "gqa:\(keyValueHeadCount)"
  }

  /// Layers with a window and without that take turns, windows first, cut at the last layer; nil
  /// where they follow no such round.
  private static func round(of windows: [Bool]) -> (window: Int, global: Int)? {
    let first = windows.firstIndex(of: false) ?? windows.count
    if first == 0 { return nil }
    let global = windows[first...].firstIndex(of: true).map { $0 - first } ?? windows.count - first
    let fits = windows.indices.allSatisfy { windows[$0] == ($0 % (first + global) < first) }
    return fits ? (first, global) : nil
  }
}
