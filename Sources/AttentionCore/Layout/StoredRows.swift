import CAttentionKernels

/// The bytes of one stream's keys or values in a codec.
public struct StoredRows: Sendable, Hashable {
  /// Bytes of a row, without what a group of tokens shares.
  public let rowBytes: Int
  /// Tokens that are quantised together; nil where rows stand alone.
  public let groupTokens: Int?
  /// Scales and zeros of a group of tokens.
  public let groupHeaderBytes: Int
  /// Bytes of a row of the tail, which is not quantised yet.
  public let tailRowBytes: Int

  /// Rows of `width` elements in `codec`.
  public init(_ codec: any KVCodec, width: Int) {
    rowBytes = codec.rowBytes(width: width)
    if case .perChannel(let element, let tokens) = codec.kernel {
      groupTokens = tokens
      groupHeaderBytes = Int(attn_group_bytes(Int32(element.rawValue), 0, Int64(width)))
      tailRowBytes = 2 * width
    } else {
      groupTokens = nil
      groupHeaderBytes = 0
      tailRowBytes = 0
    }
  }

  /// Bytes of a group of tokens, or of one row where rows stand alone.
  public var groupBytes: Int { (groupTokens ?? 1) * rowBytes + groupHeaderBytes }

  /// Bytes a token, the mean over a quantised group, rounded up.
  public var meanRowBytes: Int {
    let tokens = groupTokens ?? 1
    return (groupBytes + tokens - 1) / tokens
  }

  /// Bytes of a tail with room for a whole group; 0 where rows stand alone.
  public var tailBytes: Int { (groupTokens ?? 0) * tailRowBytes }

  /// Bytes of room for `rows` rows, in whole groups.
  public func regionBytes(rows: Int) -> Int {
    guard let groupTokens else { return saturated(rows, rowBytes) }
    return saturated((rows - 1) / groupTokens + 1, groupBytes)
  }

  /// Where row `row` lies in a region; within a group behind what the group shares.
  func offset(row: Int) -> Int {
    guard let groupTokens else { return row * rowBytes }
    return row / groupTokens * groupBytes + groupHeaderBytes + row % groupTokens * rowBytes
  }

  /// First token that is in the tail when a sequence has `context` tokens: the last token's group is
  /// read as it was written.
  func tailBegin(context: Int) -> Int {
    guard let groupTokens, context > 0 else { return context }
    return (context - 1) / groupTokens * groupTokens
  }

  /// Bytes of the rows that the last of `context` tokens sees.
  public func visibleBytes(context: Int, reach: Reach) -> Int {
    guard let groupTokens, context > 0 else {
      return rowBytes * reach.visibleTokens(context: context)
    }
    let window = reach.windowStart(at: context - 1)
    let sinks = min(reach.sinks, window)
    let tail = tailBegin(context: context)
    // Quantised tokens 0 ..< sinks and window ..< tail, and the groups that they lie in.
    let quantised = min(sinks, tail) + max(0, tail - window)
    var groups = (min(sinks, tail) + groupTokens - 1) / groupTokens
    if tail > window {
      groups += tail / groupTokens - max(window / groupTokens, groups)
    }
    let unquantised = reach.visibleTokens(context: context) - quantised
    return quantised * rowBytes + groups * groupHeaderBytes + unquantised * tailRowBytes
  }
}
