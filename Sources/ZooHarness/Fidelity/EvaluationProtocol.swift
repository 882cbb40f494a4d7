/// How a text is scored, the same for every model and variant: segments without overlap, the later
/// half of each scored, through the cached path in chunks.
public enum EvaluationProtocol {
  /// Tokens of a segment.
  public static let segment = 1_024
  /// Tokens at the end of a segment that are scored.
  public static let scored = 512
  /// Tokens of one forward call.
  public static let chunk = 128

  /// Whole segments of a text; what is left at its end is not scored.
  public static func segments(tokens: Int) -> Int { tokens / segment }

  /// A call of a segment's chunk: its tokens, and those of its rows whose logits are scored. Row r
  /// predicts token r + 1, so that the first scored row is the one before the scored half.
  struct Call: Sendable, Hashable {
    var tokens: Range<Int>
    var scoredRows: Range<Int>
  }

  /// The calls of one segment.
  static var calls: [Call] {
    stride(from: 0, to: segment, by: chunk).map { first in
      let tokens = first..<first + chunk
      let wanted = (segment - scored - 1..<segment - 1).clamped(to: tokens)
      return Call(
        tokens: tokens,
        scoredRows: wanted.isEmpty ? 0..<0 : wanted.lowerBound - first..<wanted.upperBound - first)
    }
  }
}
