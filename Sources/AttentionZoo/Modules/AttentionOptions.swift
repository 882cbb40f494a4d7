/// What a checkpoint may add to an attention module, all optional.
public struct AttentionOptions: Sendable {
  /// Rotation of queries and keys (of their RoPE part for MLA); nil: none.
  public var rotary: RotaryEmbedding?
  /// Multiplies q·k; nil: (query head width)^−½.
  public var scale: Float?
  /// c > 0: scores become c·tanh(score/c).
  public var softCap: Float = 0
  /// One learned logit a query head that joins the softmax's denominator.
  public var sinkLogits: [Float]?
  /// RMSNorm weights of a query head and of a key head, applied before rotation (Qwen3, Gemma 3).
  /// Grouped heads only: latent attention has no key head to apply them to.
  public var queryNorm: [Float]?
  public var keyNorm: [Float]?
  /// RMSNorm weight of the latent (DeepSeek); nil for converted models.
  public var latentNorm: [Float]?
  /// Epsilon of these norms.
  public var normEpsilon: Float = 1e-6

  public init(rotary: RotaryEmbedding? = nil) { self.rotary = rotary }
}

/// How latent attention reads its rows: through absorbed projections in the latent space, or
/// expanded to keys and values of every head.
public enum LatentPath: String, Sendable {
  /// Whichever takes fewer FLOPs, sequence by sequence.
  case automatic
  case absorbed
  case expanded
}
