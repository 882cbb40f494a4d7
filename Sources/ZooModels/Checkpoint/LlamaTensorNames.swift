/// The names that Hugging Face gives the tensors of a model of Llama's layout, and the shapes that a
/// configuration asks of them; ``LatentTensorNames`` and ``ExpertTensorNames`` have those that other
/// architectures add. Linear weights are [output × input].
public enum LlamaTensorNames {
  /// Token embedding, [vocabulary × hidden].
  public static let embedding = "model.embed_tokens.weight"
  /// Gain of the last RMSNorm, [hidden].
  public static let finalNorm = "model.norm.weight"
  /// Output head, [vocabulary × hidden]; absent where it is the embedding.
  public static let head = "lm_head.weight"

  /// The names of one layer, counted from 0.
  public static func layer(_ index: Int) -> Layer { Layer(index: index) }

  /// A linear projection of a layer.
  public enum Projection: String, CaseIterable, Hashable, Sendable {
    /// Hidden to query heads, [heads · width × hidden].
    case query = "self_attn.q_proj"
    /// Hidden to key heads, [KV heads · width × hidden].
    case key = "self_attn.k_proj"
    /// Hidden to value heads, [KV heads · width × hidden].
    case value = "self_attn.v_proj"
    /// Heads to hidden, [hidden × heads · width].
    case output = "self_attn.o_proj"
    /// Hidden to the gate of the MLP, [intermediate × hidden].
    case gate = "mlp.gate_proj"
    /// Hidden to the MLP, [intermediate × hidden].
    case up = "mlp.up_proj"
    /// MLP to hidden, [hidden × intermediate].
    case down = "mlp.down_proj"
  }

  /// The names of one layer's tensors.
  public struct Layer: Hashable, Sendable {
    /// The layer, counted from 0.
    public let index: Int

    var prefix: String { "model.layers.\(index)." }

    /// Gain of the RMSNorm before attention, [hidden].
    public var inputNorm: String { prefix + "input_layernorm.weight" }
    /// Gain of the RMSNorm before the MLP, [hidden]; Gemma: of attention's result.
    public var postAttentionNorm: String { prefix + "post_attention_layernorm.weight" }
    /// Gain of the RMSNorm before the MLP, [hidden] (Gemma).
    public var preFeedForwardNorm: String { prefix + "pre_feedforward_layernorm.weight" }
    /// Gain of the RMSNorm of the MLP's result, [hidden] (Gemma).
    public var postFeedForwardNorm: String { prefix + "post_feedforward_layernorm.weight" }
    /// Gain of the RMSNorm of each query head, [width] (Qwen3, Gemma 3).
    public var queryNorm: String { prefix + "self_attn.q_norm.weight" }
    /// Gain of the RMSNorm of each key head, [width] (Qwen3, Gemma 3).
    public var keyNorm: String { prefix + "self_attn.k_norm.weight" }
    /// One logit a query head, [heads] (gpt-oss).
    public var sinks: String { prefix + "self_attn.sinks" }

    /// The matrix of a projection.
    public func weight(_ projection: Projection) -> String {
      prefix + projection.rawValue + ".weight"
    }

    /// The bias of a projection, where the model has one.
    public func bias(_ projection: Projection) -> String { prefix + projection.rawValue + ".bias" }
  }

  /// Every tensor that a model of `config` has, with its shape, in the order of the forward pass, all
  /// of element type `dtype`: what a loader may ask for and a writer declares. MHA, GQA and MQA with
  /// a dense MLP only.
  public static func tensors(of config: HFConfig, dtype: TensorDType) -> [TensorDeclaration] {
    var result: [TensorDeclaration] = []
    func add(_ name: String, _ shape: [Int]) {
      result.append(TensorDeclaration(name: name, dtype: dtype, shape: shape))
    }
    let hidden = config.hiddenSize
    add(embedding, [config.vocabularySize, hidden])
    for index in 0..<config.layerCount {
      let names = layer(index)
      add(names.inputNorm, [hidden])
      for projection in Projection.allCases {
        if projection == .gate {
          if config.architecture.hasQueryKeyNorms {
            add(names.queryNorm, [config.headDimension])
            add(names.keyNorm, [config.headDimension])
          }
          if config.architecture.hasSinkLogits { add(names.sinks, [config.headCount]) }
          add(names.postAttentionNorm, [hidden])
          if config.architecture.isGemma { add(names.preFeedForwardNorm, [hidden]) }
        }
        let shape = shape(of: projection, config: config)
        add(names.weight(projection), shape)
        if hasBias(projection, config: config) { add(names.bias(projection), [shape[0]]) }
      }
      if config.architecture.isGemma { add(names.postFeedForwardNorm, [hidden]) }
    }
    add(finalNorm, [hidden])
    if !config.tiesEmbeddings { add(head, [config.vocabularySize, hidden]) }
    return result
  }

  /// The shape of a projection's matrix, [output × input].
  public static func shape(of projection: Projection, config: HFConfig) -> [Int] {
    let hidden = config.hiddenSize
    let queryWidth = config.headCount * config.headDimension
    let keyValueWidth = config.keyValueHeadCount * config.headDimension
    return switch projection {
    case .query: [queryWidth, hidden]
    case .key, .value: [keyValueWidth, hidden]
    case .output: [hidden, queryWidth]
    case .gate, .up: [config.intermediateSize, hidden]
    case .down: [hidden, config.intermediateSize]
    }
  }

  /// Whether a projection has a bias.
  public static func hasBias(_ projection: Projection, config: HFConfig) -> Bool {
    switch projection {
    case .query, .key, .value: config.hasAttentionBias
    case .output: config.hasOutputBias
    case .gate, .up, .down: config.hasMLPBias
    }
  }
}
