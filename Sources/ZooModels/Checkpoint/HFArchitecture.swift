/// A model architecture of Hugging Face that this package reads: what its class fixes and no
/// configuration says. Adding one is adding a value here and naming it in ``known``.
public struct HFArchitecture: Hashable, Sendable {
  /// Which layers look through a window, and how a configuration says so.
  public enum Windows: Hashable, Sendable {
    /// None; `sliding_window` is ignored, as transformers does.
    case none
    /// All, where `sliding_window` is a number.
    case everyLayer
    /// All, where `use_sliding_window` is true.
    case everyLayerByFlag
    /// Those that `layer_types` calls `sliding_attention`; where that is absent, those from
    /// `max_window_layers` on. None unless `use_sliding_window` is true.
    case listedByFlag
    /// Those that `layer_types` calls `sliding_attention`; where that is absent, every other one
    /// before `max_window_layers`. None unless `use_sliding_window` is true.
    case alternatingByFlag
    /// Those that `layer_types` calls `sliding_attention`; where that is absent, all but every nth.
    case listed(period: Int)
  }

  /// Which projections of attention have biases.
  public enum Biases: Hashable, Sendable {
    case none
    /// All of them, where `attention_bias` is true; the value where it is absent.
    case all(byDefault: Bool)
    /// Query, key and value, where the key is true; the value where it is absent.
    case queryKeyValue(key: String, byDefault: Bool)
  }

  /// What stands in the place of the MLP, and how a configuration describes it.
  public enum Mixture: Hashable, Sendable {
    case mixtral
    case qwen2
    case qwen3
    case deepseekV2
    case deepseekV3
    case gptOSS
  }

  /// The class name in `architectures`.
  public let name: String
  /// The `model_type`.
  public let modelType: String
  /// Other class names and model types of the same thing: a multimodal model whose text part it is.
  public var aliases: [String] = []
  /// Which layers look through a window.
  public var windows = Windows.none
  /// Which projections of attention have biases.
  public var biases = Biases.none
  /// Whether `mlp_bias` means something.
  public var hasMLPBiasKey = false
  /// Whether queries and keys are normalised before RoPE, by a weight of the head's width.
  public var hasQueryKeyNorms = false
  /// Whether attention's and the MLP's results are normalised before they are added, norms multiply
  /// by 1 + w, and embeddings are multiplied by √D.
  public var isGemma = false
  /// Whether `attn_logit_softcapping` means something.
  public var hasAttentionSoftCap = false
  /// Whether every query head has a learned logit in its softmax.
  public var hasSinkLogits = false
  /// Whether attention is latent.
  public var isLatent = false
  /// Whether layers that look through a window may have a RoPE of their own.
  public var hasLocalRope = false
  /// The mixture of experts, where the architecture has one.
  public var mixture: Mixture?
  /// The activation of the MLP, by transformers' name.
  public var activation = "silu"
  /// What holds where a key is absent.
  public var defaults: Defaults

  /// Values of absent keys.
  public struct Defaults: Hashable, Sendable {
    /// `max_position_embeddings`.
    public var maximumPositions: Int
    /// `sliding_window` (an explicit null is none).
    public var slidingWindow: Int?
    /// `rope_theta`.
    public var ropeTheta = 10_000.0
    /// The base of window layers' own RoPE.
    public var localRopeTheta = 10_000.0
    /// `head_dim`; nil: hidden width ÷ heads.
    public var headDimension: Int?
    /// `tie_word_embeddings`.
    public var tiesEmbeddings = false
    /// `rms_norm_eps`; nil: must be there.
    public var normEpsilon: Double?
    /// `num_attention_heads`, `num_key_value_heads` and `vocab_size`; nil: must be there, or as many
    /// key/value heads as query heads.
    public var headCount: Int?
    public var keyValueHeadCount: Int?
    public var vocabularySize: Int?

    init(maximumPositions: Int) { self.maximumPositions = maximumPositions }
  }

  private init(
    _ name: String, _ modelType: String, maximumPositions: Int,
    _ change: (inout HFArchitecture) -> Void = { _ in }
  ) {
    self.name = name
    self.modelType = modelType
    defaults = Defaults(maximumPositions: maximumPositions)
    change(&self)
  }

  public static func == (left: HFArchitecture, right: HFArchitecture) -> Bool {
    left.name == right.name
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(name) }

  /// Whether `sliding_window` means something.
  public var hasSlidingWindow: Bool { windows != .none }

  /// Whether each layer says by itself whether it has a window.
  public var listsLayerTypes: Bool {
    switch windows {
    case .none, .everyLayer, .everyLayerByFlag: false
    case .listedByFlag, .alternatingByFlag, .listed: true
    }
  }

  /// Whether `use_sliding_window` switches windows on.
  var hasWindowFlag: Bool {
    switch windows {
    case .none, .everyLayer, .listed: false
    case .everyLayerByFlag, .listedByFlag, .alternatingByFlag: true
    }
  }
}

extension HFArchitecture {
  /// Llama, and what follows its layout.
  public static let llama = HFArchitecture("LlamaForCausalLM", "llama", maximumPositions: 2_048) {
    $0.biases = .all(byDefault: false)
    $0.hasMLPBiasKey = true
  }

  /// Mistral: Llama with an optional window of the same width in every layer.
  public static let mistral = HFArchitecture(
    "MistralForCausalLM", "mistral", maximumPositions: 131_072
  ) {
    $0.windows = .everyLayer
    $0.defaults.slidingWindow = 4_096
  }

  /// Qwen2: biases on query, key and value; windows in the later layers.
  public static let qwen2 = HFArchitecture("Qwen2ForCausalLM", "qwen2", maximumPositions: 32_768) {
    $0.windows = .listedByFlag
    $0.biases = .queryKeyValue(key: "", byDefault: true)
    $0.defaults.slidingWindow = 4_096
  }

  /// Qwen3: norms on queries and keys, heads of an explicit width.
  public static let qwen3 = HFArchitecture("Qwen3ForCausalLM", "qwen3", maximumPositions: 32_768) {
    $0.windows = .listedByFlag
    $0.biases = .all(byDefault: false)
    $0.hasQueryKeyNorms = true
    $0.defaults.slidingWindow = 4_096
    $0.defaults.headDimension = 128
  }

  /// Gemma 2: four norms a layer, soft caps, every other layer a window.
  public static let gemma2 = HFArchitecture("Gemma2ForCausalLM", "gemma2", maximumPositions: 8_192)
  {
    $0.windows = .listed(period: 2)
    $0.biases = .all(byDefault: false)
    $0.isGemma = true
    $0.hasAttentionSoftCap = true
    $0.activation = "gelu_pytorch_tanh"
    $0.defaults.slidingWindow = 4_096
    $0.defaults.headDimension = 256
    $0.defaults.tiesEmbeddings = true
    $0.defaults.normEpsilon = 1e-6
  }

  /// Gemma 3, the text part: four norms a layer, norms on queries and keys, windows in all but
  /// every sixth layer, with a RoPE of their own.
  public static let gemma3 = HFArchitecture(
    "Gemma3ForCausalLM", "gemma3_text", maximumPositions: 131_072
  ) {
    $0.aliases = ["Gemma3ForConditionalGeneration", "gemma3"]
    $0.windows = .listed(period: 6)
    $0.biases = .all(byDefault: false)
    $0.hasQueryKeyNorms = true
    $0.isGemma = true
    $0.hasLocalRope = true
    $0.activation = "gelu_pytorch_tanh"
    $0.defaults.slidingWindow = 4_096
    $0.defaults.ropeTheta = 1_000_000
    $0.defaults.headDimension = 256
    $0.defaults.tiesEmbeddings = true
    $0.defaults.normEpsilon = 1e-6
    $0.defaults.headCount = 8
    $0.defaults.keyValueHeadCount = 4
    $0.defaults.vocabularySize = 262_208
  }

  /// Mixtral: Mistral with a mixture of experts.
  public static let mixtral = HFArchitecture(
    "MixtralForCausalLM", "mixtral", maximumPositions: 131_072
  ) {
    $0.windows = .everyLayer
    $0.mixture = .mixtral
    $0.defaults.ropeTheta = 1_000_000
  }

  /// Qwen2-MoE: Qwen2 with a mixture of experts, one of them shared and gated.
  public static let qwen2MoE = HFArchitecture(
    "Qwen2MoeForCausalLM", "qwen2_moe", maximumPositions: 32_768
  ) {
    $0.windows = .alternatingByFlag
    $0.biases = .queryKeyValue(key: "qkv_bias", byDefault: true)
    $0.mixture = .qwen2
    $0.defaults.slidingWindow = 4_096
  }

  /// Qwen3-MoE: Qwen3 with a mixture of experts.
  public static let qwen3MoE = HFArchitecture(
    "Qwen3MoeForCausalLM", "qwen3_moe", maximumPositions: 32_768
  ) {
    $0.windows = .everyLayerByFlag
    $0.biases = .all(byDefault: false)
    $0.hasQueryKeyNorms = true
    $0.mixture = .qwen3
    $0.defaults.slidingWindow = 4_096
  }

  /// DeepSeek-V2: latent attention, a mixture of experts behind leading dense layers.
  public static let deepseekV2 = HFArchitecture(
    "DeepseekV2ForCausalLM", "deepseek_v2", maximumPositions: 2_048
  ) {
    $0.biases = .all(byDefault: false)
    $0.hasMLPBiasKey = true
    $0.isLatent = true
    $0.mixture = .deepseekV2
  }

  /// DeepSeek-V3: as V2, with experts chosen by sigmoids and a correction.
  public static let deepseekV3 = HFArchitecture(
    "DeepseekV3ForCausalLM", "deepseek_v3", maximumPositions: 4_096
  ) {
    $0.biases = .all(byDefault: false)
    $0.isLatent = true
    $0.mixture = .deepseekV3
  }

  /// gpt-oss: learned sink logits, windows in every other layer, a mixture of clamped experts.
  public static let gptOSS = HFArchitecture(
    "GptOssForCausalLM", "gpt_oss", maximumPositions: 131_072
  ) {
    $0.windows = .listed(period: 2)
    $0.biases = .all(byDefault: true)
    $0.hasSinkLogits = true
    $0.mixture = .gptOSS
    $0.defaults.slidingWindow = 128
    $0.defaults.ropeTheta = 150_000
    $0.defaults.headDimension = 64
  }

  /// Every architecture that is read.
  public static let known: [HFArchitecture] = [
    .llama, .mistral, .qwen2, .qwen3, .gemma2, .gemma3, .mixtral, .qwen2MoE, .qwen3MoE,
    .deepseekV2, .deepseekV3, .gptOSS,
  ]
}
