/// The rotary position embedding of a configuration.
public struct HFRope: Hashable, Sendable {
  /// The base of the frequencies.
  public var theta: Double
  /// The scaling, by transformers' name: one of ``knownTypes``.
  public var type: String

  /// The scaling types that are read; others are refused by name.
  public static let knownTypes = ["default"]

  /// Plain RoPE with base `theta`.
  public init(theta: Double = 10_000) {
    self.theta = theta
    type = "default"
  }
}
