/// What a model adds to the plain softmax.
public struct AttendOptions: Sendable {
  /// Multiplies q·k, usually (head width)^−½.
  public var scale: Float
  /// c > 0: scores become c·tanh(score/c) (Gemma 2).
  public var softCap: Float
  /// One learned logit a query head that joins the softmax and carries no value (gpt-oss).
  public var sinkLogits: [Float]?

  public init(scale: Float, softCap: Float = 0, sinkLogits: [Float]? = nil) {
    self.scale = scale
    self.softCap = softCap
    self.sinkLogits = sinkLogits
  }
}
