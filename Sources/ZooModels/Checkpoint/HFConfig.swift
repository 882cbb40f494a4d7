/// A `config.json` of Hugging Face: what the file says, in its own terms, checked for sense but not
/// yet a geometry of attention.
///
/// Read by ``init(path:)``, written by ``write(to:)``; reading what was written gives an equal value.
public struct HFConfig: Hashable, Sendable {
  /// The architecture (`architectures`, or `model_type` where that is absent).
  public var architecture: HFArchitecture
  /// `hidden_size`: the width of the residual stream.
  public var hiddenSize: Int
  /// `num_hidden_layers`.
  public var layerCount: Int
  /// `num_attention_heads`: query heads a layer.
  public var headCount: Int
  /// `num_key_value_heads`; as many as query heads where absent. Divides ``headCount``.
  public var keyValueHeadCount: Int
  /// `head_dim`; the architecture's own or ``hiddenSize`` ÷ ``headCount`` where absent; under MLA, as
  /// transformers has it, the width of the RoPE slice.
  public var headDimension: Int
  /// `intermediate_size`: the inner width of the MLP.
  public var intermediateSize: Int
  /// `vocab_size`.
  public var vocabularySize: Int
  /// `tie_word_embeddings`: whether the output head is the embedding; false where absent.
  public var tiesEmbeddings = false
  /// `rms_norm_eps`.
  public var rmsNormEpsilon = 1e-5
  /// `rope_parameters`, or the older `rope_theta` and `rope_scaling`.
  public var rope = HFRope()
  /// The RoPE of layers with a window, for architectures that give them their own (Gemma 3).
  public var localRope: HFRope?
  /// `max_position_embeddings`: the context the model was made for.
  public var maximumPositions: Int
  /// Whether projections of attention have biases: those that the architecture says.
  public var hasAttentionBias = false
  /// `mlp_bias`: whether the three projections of the MLP have biases; false where absent.
  public var hasMLPBias = false
  /// `sliding_window`: how many tokens a query sees in a layer with a window, itself counted; nil
  /// where no layer has one.
  public var slidingWindow: Int?
  /// The layers that have the window, one value a layer; nil: all. ``window(ofLayer:)`` reads it.
  public var windowLayers: [Bool]?
  /// `kv_lora_rank`: the width of MLA's latent; nil without MLA.
  public var keyValueLatentRank: Int?
  /// `q_lora_rank`: the width of MLA's query latent; nil where queries are projected at once.
  public var queryLatentRank: Int?
  /// `qk_rope_head_dim`: the width of MLA's RoPE slice.
  public var ropeHeadDimension: Int?
  /// `qk_nope_head_dim`: the width of a head's position-free part under MLA.
  public var nopeHeadDimension: Int?
  /// `v_head_dim`: the width of a value head under MLA.
  public var valueHeadDimension: Int?
  /// `rope_interleave`: whether MLA's RoPE turns neighbouring elements instead of halves.
  public var interleavesRope = true
  /// The mixture of experts; nil where every layer has a dense MLP.
  public var mixture: HFMixture?
  /// `query_pre_attn_scalar`: scores are divided by its root (Gemma); nil: by that of the head width.
  public var queryScalar: Double?
  /// `final_logit_softcapping`: c; logits become c·tanh(logit/c).
  public var logitSoftCap: Double?
  /// `attn_logit_softcapping`: c; scores become c·tanh(score/c) (Gemma 2).
  public var attentionSoftCap: Double?
  /// `quantization_config`: how the weights are stored, where not as plain floats.
  public var quantisation: HFQuantisation?
  /// `attention_zoo`: attention that no published architecture can say.
  public var native: HFNativeAttention?
  /// `bos_token_id`.
  public var beginTokenID: Int?
  /// `eos_token_id`: any of these ends a text.
  public var endTokenIDs: [Int] = []
  /// `dtype`, or the older `torch_dtype`: the name of the type that the weights were stored in, for
  /// example `bfloat16`. The safetensors files have the last word.
  public var dtypeName: String?

  /// Makes a configuration; the fields that are not named here start at their defaults. Nothing is
  /// checked.
  public init(
    architecture: HFArchitecture = .llama, hiddenSize: Int, layerCount: Int, headCount: Int,
    keyValueHeadCount: Int? = nil, headDimension: Int? = nil, intermediateSize: Int,
    vocabularySize: Int, maximumPositions: Int
  ) {
    self.architecture = architecture
    self.hiddenSize = hiddenSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headDimension = headDimension ?? hiddenSize / headCount
    self.intermediateSize = intermediateSize
    self.vocabularySize = vocabularySize
    self.maximumPositions = maximumPositions
    switch architecture.biases {
    case .none: break
    case .all(let byDefault), .queryKeyValue(_, let byDefault): hasAttentionBias = byDefault
    }
    if architecture.isGemma { queryScalar = Double(self.headDimension) }
    if architecture.hasLocalRope {
      rope = HFRope(theta: architecture.defaults.ropeTheta)
      localRope = HFRope(theta: architecture.defaults.localRopeTheta)
    }
  }

  /// Whether the output projection of attention has a bias.
  public var hasOutputBias: Bool {
    if case .all = architecture.biases { hasAttentionBias } else { false }
  }
}
