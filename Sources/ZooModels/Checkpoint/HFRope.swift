/// The rotary position embedding of a configuration: its base and how it is scaled to longer
/// contexts than the model was first trained for.
public struct HFRope: Hashable, Sendable {
  /// The base of the frequencies.
  public var theta: Double
  /// The scaling, by transformers' name: one of ``knownTypes``.
  public var type: String
  /// How many times the context grows; every type but `default` has one.
  public var factor: Double?
  /// `original_max_position_embeddings`: the context before scaling (llama3, yarn).
  public var originalMaximumPositions: Int?
  /// `low_freq_factor`: longer wavelengths than the context ÷ this are slowed down in full (llama3).
  public var lowFrequencyFactor: Double?
  /// `high_freq_factor`: shorter wavelengths than the context ÷ this stay (llama3).
  public var highFrequencyFactor: Double?
  /// What rotated queries and keys are multiplied by (yarn); computed where nil.
  public var attentionFactor: Double?
  /// Rotations within the context from which a pair stays as it is (yarn); 32 where nil.
  public var betaFast: Double?
  /// Rotations within the context up to which a pair is slowed down in full (yarn); 1 where nil.
  public var betaSlow: Double?
  /// Weighs the logarithm in the attention factor (yarn).
  public var mscale: Double?
  /// Weighs the logarithm in the attention factor's divisor, and in DeepSeek's softmax scale (yarn).
  public var mscaleAllDimensions: Double?
  /// Whether the bounds between kept and slowed pairs are rounded to whole pairs (yarn).
  public var truncates = true

  /// The scaling types that are read; others are refused by name.
  public static let knownTypes = ["default", "linear", "dynamic", "llama3", "yarn"]

  /// Plain RoPE with base `theta`.
  public init(theta: Double = 10_000) {
    self.theta = theta
    type = "default"
  }
}
