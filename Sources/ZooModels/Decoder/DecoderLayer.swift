import AttentionZoo
import ZooLinearAlgebra

/// What a decoder has beside its geometry.
public struct DecoderSettings: Sendable, Hashable {
  /// Epsilon of every RMSNorm.
  public var normEpsilon: Float
  /// Base of the rotary frequencies, of global layers where layers differ.
  public var ropeTheta: Double
  /// Multiplies the embedding of every token (Gemma: √D).
  public var embeddingScale: Float = 1
  /// c > 0: logits become c·tanh(logit/c) (Gemma 2).
  public var logitSoftCap: Float = 0

  public init(normEpsilon: Float = 1e-5, ropeTheta: Double = 10_000) {
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
  }
}

/// One decoder layer: x + attention(norm(x)), then x + feedForward(norm(x)), each result normalised
/// once more before it is added where the model does so.
public struct DecoderLayer: Sendable {
  /// RMSNorm weight before attention, D elements; what the model adds to a weight is folded in
  /// (Gemma's 1 + w).
  public var attentionNorm: [Float]
  public var attention: any AttentionModule
  /// RMSNorm weight of attention's result, D elements (Gemma); nil: none.
  public var attentionOutputNorm: [Float]?
  /// RMSNorm weight before the feed-forward part, D elements.
  public var mlpNorm: [Float]
  public var feedForward: FeedForward
  /// RMSNorm weight of the feed-forward part's result, D elements (Gemma); nil: none.
  public var mlpOutputNorm: [Float]?

  public init(
    attentionNorm: [Float], attention: any AttentionModule, attentionOutputNorm: [Float]? = nil,
    mlpNorm: [Float], feedForward: FeedForward, mlpOutputNorm: [Float]? = nil
  ) {
    self.attentionNorm = attentionNorm
    self.attention = attention
    self.attentionOutputNorm = attentionOutputNorm
    self.mlpNorm = mlpNorm
    self.feedForward = feedForward
    self.mlpOutputNorm = mlpOutputNorm
  }

  /// Elements of norms of the hidden width.
  public var normParameters: Int {
    attentionNorm.count + mlpNorm.count + (attentionOutputNorm?.count ?? 0)
      + (mlpOutputNorm?.count ?? 0)
  }

  /// Elements of all weights of the layer.
  public var parameters: Int { attention.parameters + feedForward.parameters + normParameters }

  /// Bytes of all weights of the layer.
  public var weightBytes: Int {
    attention.weightBytes + feedForward.weightBytes + normParameters * MemoryLayout<Float>.stride
  }

  /// Elements of the widest operand of any of the layer's linear maps.
  public var widestInputs: Int { max(attention.widestInputs, feedForward.widestInputs) }
}
