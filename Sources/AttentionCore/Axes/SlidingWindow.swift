/// `swa:W`: every layer sees the last W tokens, its own included (Mistral 7B, arXiv 2310.06825).
public struct SlidingWindow: ReachAxisValue {
  public static let keyword = "swa"
  public static let form = "swa:W"
  public static let summary = "sliding window: every layer sees the last W tokens, its own included"
  public static let samples = ["swa:1", "swa:7", "swa:16"]

  /// Width of the window, tokens.
  public let width: Int

  public init(parameters: String?) throws(NotationError) {
    width = try AxisParameters.positive(parameters ?? "", "W", form: Self.form)
  }

  public var notation: String { "swa:\(width)" }
  public var takesSinks: Bool { true }
  public func window(ofLayer index: Int, count: Int) -> Int? { width }
}
