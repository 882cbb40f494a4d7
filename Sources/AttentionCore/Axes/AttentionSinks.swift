/// `sink:N` beside a window: the first N tokens stay visible at their original positions
/// (StreamingLLM, arXiv 2309.17453, without its renumbering of positions).
public struct AttentionSinks: AxisValue {
  public static let keyword = "sink"
  public static let form = "sink:N"
  public static let summary = "beside a window: the first N tokens stay visible"
  public static let samples = ["sink:1", "sink:4"]

  /// Leading tokens kept.
  public let tokens: Int

  public init(parameters: String?) throws(NotationError) {
    tokens = try AxisParameters.positive(parameters ?? "", "N", form: Self.form)
  }

  public var notation: String { "sink:\(tokens)" }
}
