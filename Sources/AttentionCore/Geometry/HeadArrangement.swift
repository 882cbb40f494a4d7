/// What the heads of a layer are, once a head value of the notation has met a geometry.
public enum HeadArrangement: Sendable, Hashable {
  /// A key and a value a KV head; query heads split evenly among them (MHA, GQA, MQA).
  case grouped(keyValueHeads: Int)
  /// One latent row for all heads (MLA).
  case latent(LatentShape)
}

/// The row and the heads of latent attention (DeepSeek-V2, arXiv 2405.04434).
public struct LatentShape: Sendable, Hashable {
  /// Width of the latent (r).
  public var rank: Int
  /// Width of one RoPE key slice (d_r).
  public var ropeWidth: Int
  /// RoPE key slices in a row: 1 shared by all heads, or one a KV head.
  public var ropeSlices: Int
  /// Position-free width of a query or key head (d_n).
  public var nopeWidth: Int
  /// Width of a value head (d_v).
  public var valueWidth: Int

  public init(rank: Int, ropeWidth: Int, ropeSlices: Int, nopeWidth: Int, valueWidth: Int) {
    self.rank = rank
    self.ropeWidth = ropeWidth
    self.ropeSlices = ropeSlices
    self.nopeWidth = nopeWidth
    self.valueWidth = valueWidth
  }

  /// Elements of a cached row: latent, then every RoPE slice.
  public var rowWidth: Int { rank + ropeWidth * ropeSlices }
  /// Width of an expanded query or key head, d_n + d_r.
  public var headWidth: Int { nopeWidth + ropeWidth }
}

/// The rows that a layer caches for a token, and who reads them.
public struct RowShape: Sendable, Hashable {
  /// Rows a token (KV heads; 1 for latent attention).
  public var streams: Int
  /// Elements of a key row.
  public var keyWidth: Int
  /// Elements of a value row.
  public var valueWidth: Int
  /// The value is the first `valueWidth` elements of the key row and is not stored again.
  public var valueIsKeyPrefix: Bool
  /// Query heads that read one stream.
  public var queryHeadsPerStream: Int

  public init(
    streams: Int, keyWidth: Int, valueWidth: Int, valueIsKeyPrefix: Bool, queryHeadsPerStream: Int
  ) {
    self.streams = streams
    self.keyWidth = keyWidth
    self.valueWidth = valueWidth
    self.valueIsKeyPrefix = valueIsKeyPrefix
    self.queryHeadsPerStream = queryHeadsPerStream
  }

  /// The shape that `heads` gives on `geometry`.
  public init(_ heads: HeadArrangement, geometry: ModelGeometry) {
    switch heads {
    case .grouped(let keyValueHeads):
      self.init(
        streams: keyValueHeads, keyWidth: geometry.headWidth, valueWidth: geometry.headWidth,
        valueIsKeyPrefix: false, queryHeadsPerStream: geometry.queryHeads / keyValueHeads)
    case .latent(let latent):
      self.init(
        streams: 1, keyWidth: latent.rowWidth, valueWidth: latent.rank, valueIsKeyPrefix: true,
        queryHeadsPerStream: geometry.queryHeads)
    }
  }
}
