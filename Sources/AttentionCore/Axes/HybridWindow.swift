/// `hybrid:L:G:W`: L window layers of width W, then G global ones, repeated and cut at the last
/// layer (Gemma 3, arXiv 2503.19786: 5:1:1024).
public struct HybridWindow: ReachAxisValue {
  public static let keyword = "hybrid"
  public static let form = "hybrid:L:G:W"
  public static let summary = "L window layers of width W, then G global ones, repeated"
  public static let samples = ["hybrid:2:1:8", "hybrid:1:1:16"]

  /// Window layers of one round.
  public let windowLayers: Int
  /// Global layers of one round.
  public let globalLayers: Int
  /// Width of the window, tokens.
  public let width: Int

  public init(parameters: String?) throws(NotationError) {
    let text = parameters ?? ""
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 3 else {
      throw NotationError(
        notation: "hybrid:\(text.prefix(40))",
        reason: "expected \(Self.form), for example hybrid:5:1:1024")
    }
    windowLayers = try AxisParameters.positive(parts[0], "L", form: Self.form)
    globalLayers = try AxisParameters.positive(parts[1], "G", form: Self.form)
    width = try AxisParameters.positive(parts[2], "W", form: Self.form)
  }

  public var notation: String { "hybrid:\(windowLayers):\(globalLayers):\(width)" }
  public var takesSinks: Bool { true }

  public func window(ofLayer index: Int, count: Int) -> Int? {
    index % (windowLayers + globalLayers) < windowLayers ? width : nil
  }
}
