/// How far back a layer looks.
public struct Reach: Sendable, Hashable {
  /// Width of the window, the query's own token included; nil: all tokens.
  public var window: Int?
  /// Leading tokens that stay visible beside the window, at their original positions.
  public var sinks: Int

  public init(window: Int? = nil, sinks: Int = 0) {
    self.window = window
    self.sinks = window == nil ? 0 : sinks
  }

  /// Every earlier token.
  public static let global = Reach()

  /// First token of the window of the query at `position`.
  public func windowStart(at position: Int) -> Int {
    guard let window else { return 0 }
    return max(0, position - window + 1)
  }

  /// Tokens that the query at position `context − 1` sees, itself included.
  public func visibleTokens(context: Int) -> Int {
    guard let window else { return context }
    return min(context, window + sinks)
  }

  /// Whether the query at `position` sees `token`.
  public func sees(_ token: Int, from position: Int) -> Bool {
    token <= position && (token >= windowStart(at: position) || token < sinks)
  }
}
