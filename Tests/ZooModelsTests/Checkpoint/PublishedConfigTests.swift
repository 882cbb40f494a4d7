import AttentionCore
import Testing
import ZooModels

/// Keys and values of published configurations, older forms included.
private enum Published {
  static let configs: [(name: String, text: String, notation: String)] = [
    (
      "llama-3.2-1b",
      """
      {"architectures": ["LlamaForCausalLM"], "attention_bias": false, "head_dim": 64,
       "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192,
       "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama",
       "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
       "rms_norm_eps": 1e-05, "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0,
       "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
       "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
       "vocab_size": 128256}
      """, "gqa:8"
    ),
    (
      "qwen2.5-7b",
      """
      {"architectures": ["Qwen2ForCausalLM"], "hidden_act": "silu", "hidden_size": 3584,
       "intermediate_size": 18944, "max_position_embeddings": 131072, "max_window_layers": 28,
       "model_type": "qwen2", "num_attention_heads": 28, "num_hidden_layers": 28,
       "num_key_value_heads": 4, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
       "sliding_window": 131072, "tie_word_embeddings": false, "use_sliding_window": false,
       "vocab_size": 152064}
      """, "gqa:4"
    ),
    (
      "gemma-3-4b",
      """
      {"architectures": ["Gemma3ForConditionalGeneration"], "eos_token_id": [1, 106],
       "model_type": "gemma3", "text_config": {"hidden_size": 2560, "intermediate_size": 10240,
       "model_type": "gemma3_text", "num_hidden_layers": 34, "rope_scaling": {"factor": 8.0,
       "rope_type": "linear"}, "sliding_window": 1024}, "vision_config": {"hidden_size": 1152}}
      """, "gqa:4/hybrid:5:1:1024"
    ),
    (
      "gemma-3-1b",
      """
      {"architectures": ["Gemma3ForCausalLM"], "attn_logit_softcapping": null, "head_dim": 256,
       "final_logit_softcapping": null, "hidden_activation": "gelu_pytorch_tanh",
       "hidden_size": 1152, "intermediate_size": 6912, "max_position_embeddings": 32768,
       "model_type": "gemma3_text", "num_attention_heads": 4, "num_hidden_layers": 26,
       "num_key_value_heads": 1, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
       "rope_local_base_freq": 10000, "rope_scaling": null, "rope_theta": 1000000,
       "sliding_window": 512, "sliding_window_pattern": 6, "vocab_size": 262144}
      """, "mqa/hybrid:5:1:512"
    ),
    (
      "mixtral-8x7b",
      """
      {"architectures": ["MixtralForCausalLM"], "hidden_act": "silu", "hidden_size": 4096,
       "intermediate_size": 14336, "max_position_embeddings": 32768, "model_type": "mixtral",
       "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
       "num_key_value_heads": 8, "num_local_experts": 8, "rms_norm_eps": 1e-05,
       "rope_theta": 1000000.0, "sliding_window": null, "tie_word_embeddings": false,
       "vocab_size": 32000}
      """, "gqa:8"
    ),
    (
      "deepseek-v3",
      """
      {"architectures": ["DeepseekV3ForCausalLM"], "attention_bias": false,
       "first_k_dense_replace": 3, "hidden_act": "silu", "hidden_size": 7168,
       "intermediate_size": 18432, "kv_lora_rank": 512, "max_position_embeddings": 163840,
       "model_type": "deepseek_v3", "moe_intermediate_size": 2048, "moe_layer_freq": 1,
       "n_group": 8, "n_routed_experts": 256, "n_shared_experts": 1, "norm_topk_prob": true,
       "num_attention_heads": 128, "num_experts_per_tok": 8, "num_hidden_layers": 61,
       "num_key_value_heads": 128, "num_nextn_predict_layers": 1, "q_lora_rank": 1536,
       "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "quantization_config":
       {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
       "weight_block_size": [128, 128]}, "rms_norm_eps": 1e-06, "rope_scaling": {"beta_fast": 32,
       "beta_slow": 1, "factor": 40, "mscale": 1.0, "mscale_all_dim": 1.0,
       "original_max_position_embeddings": 4096, "type": "yarn"}, "rope_theta": 10000,
       "routed_scaling_factor": 2.5, "scoring_func": "sigmoid", "tie_word_embeddings": false,
       "topk_group": 4, "topk_method": "noaux_tc", "v_head_dim": 128, "vocab_size": 129280}
      """, "mla:512+64"
    ),
    (
      "deepseek-v2-lite",
      """
      {"architectures": ["DeepseekV2ForCausalLM"], "attention_bias": false,
       "first_k_dense_replace": 1, "hidden_act": "silu", "hidden_size": 2048,
       "intermediate_size": 10944, "kv_lora_rank": 512, "max_position_embeddings": 163840,
       "model_type": "deepseek_v2", "moe_intermediate_size": 1408, "moe_layer_freq": 1,
       "n_group": 1, "n_routed_experts": 64, "n_shared_experts": 2, "norm_topk_prob": false,
       "num_attention_heads": 16, "num_experts_per_tok": 6, "num_hidden_layers": 27,
       "num_key_value_heads": 16, "q_lora_rank": null, "qk_nope_head_dim": 128,
       "qk_rope_head_dim": 64, "rms_norm_eps": 1e-06, "rope_scaling": {"beta_fast": 32,
       "beta_slow": 1, "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707,
       "original_max_position_embeddings": 4096, "type": "yarn"}, "rope_theta": 10000,
       "routed_scaling_factor": 1.0, "scoring_func": "softmax", "tie_word_embeddings": false,
       "topk_group": 1, "topk_method": "greedy", "v_head_dim": 128, "vocab_size": 102400}
      """, "mla:512+64"
    ),
    (
      "gpt-oss-20b",
      """
      {"architectures": ["GptOssForCausalLM"], "attention_bias": true, "experts_per_token": 4,
       "head_dim": 64, "hidden_act": "silu", "hidden_size": 2880, "initial_context_length": 4096,
       "intermediate_size": 2880, "max_position_embeddings": 131072, "model_type": "gpt_oss",
       "num_attention_heads": 64, "num_experts_per_tok": 4, "num_hidden_layers": 24,
       "num_key_value_heads": 8, "num_local_experts": 32, "quantization_config":
       {"modules_to_not_convert": ["model.embed_tokens"], "quant_method": "mxfp4"},
       "rms_norm_eps": 1e-05, "rope_scaling": {"beta_fast": 32.0, "beta_slow": 1.0,
       "factor": 32.0, "original_max_position_embeddings": 4096, "rope_type": "yarn",
       "truncate": false}, "rope_theta": 150000, "sliding_window": 128, "swiglu_limit": 7.0,
       "tie_word_embeddings": false, "vocab_size": 201088}
      """, "gqa:8/hybrid:1:1:128"
    ),
  ]
}

@Suite("Published configurations are read as what they describe")
struct PublishedConfigTests {
  @Test("the geometry of the preset of the same name", arguments: Published.configs.indices)
  func geometry(index: Int) throws {
    let (name, text, notation) = Published.configs[index]
    let config = try HFConfig(json: Array(text.utf8), file: "config.json")
    let preset = try ModelPresets.geometry(named: name)
    var geometry = ModelGeometry(config, name: name)
    #expect(config.notation == notation)
    // Two published vocabularies of Gemma 3 and two contexts of Qwen2.5 differ from the presets'.
    if name == "gemma-3-4b" { geometry.vocabulary = preset.vocabulary }
    if name == "qwen2.5-7b" { geometry.maxPositions = preset.maxPositions }
    #expect(geometry == preset)
  }

  @Test(
    "reading what was written gives an equal configuration", arguments: Published.configs.indices)
  func roundTrip(index: Int) throws {
    let config = try HFConfig(
      json: Array(Published.configs[index].text.utf8), file: "config.json")
    #expect(try HFConfig(json: Array(config.json.utf8), file: "again") == config)
  }

  @Test("so do the fixtures'", arguments: TransformersFixture.all)
  func fixtureRoundTrip(fixture: TransformersFixture) throws {
    let config = try fixture.folder().config
    #expect(try HFConfig(json: Array(config.json.utf8), file: "again") == config)
  }

  @Test("scaling, windows, experts and storage are read")
  func details() throws {
    func config(_ name: String) throws -> HFConfig {
      let text = try #require(Published.configs.first { $0.name == name }?.text)
      return try HFConfig(json: Array(text.utf8), file: "config.json")
    }
    let gemma = try config("gemma-3-4b")
    #expect(gemma.architecture == .gemma3 && gemma.tiesEmbeddings && gemma.headDimension == 256)
    #expect(gemma.rope.type == "linear" && gemma.rope.factor == 8 && gemma.rope.theta == 1e6)
    #expect(gemma.localRope == HFRope(theta: 10_000))
    #expect(gemma.window(ofLayer: 4) == 1_024 && gemma.window(ofLayer: 5) == nil)

    let v3 = try config("deepseek-v3")
    #expect(v3.quantisation == .blockFP8(rows: 128, columns: 128))
    #expect(v3.rope.type == "yarn" && v3.rope.mscaleAllDimensions == 1)
    let experts = try #require(v3.mixture)
    #expect(experts.expertCount == 256 && experts.expertsPerToken == 8 && experts.groups == 8)
    #expect(experts.sharedWidth == 2_048 && experts.scale == 2.5 && experts.normalisesWeights)
    #expect(!experts.isIn(layer: 2) && experts.isIn(layer: 3))

    let oss = try config("gpt-oss-20b")
    #expect(oss.quantisation == .mxfp4 && oss.hasAttentionBias && !oss.rope.truncates)
    #expect(oss.window(ofLayer: 0) == 128 && oss.window(ofLayer: 1) == nil)

    let qwen = try config("qwen2.5-7b")
    #expect(qwen.hasAttentionBias && !qwen.hasOutputBias && qwen.slidingWindow == nil)
  }

  @Test(
    "what has no meaning is refused, with its key",
    arguments: [
      ("qwen2", "\"layer_types\": [\"full_attention\"]", "key \"layer_types\": found a list of 1"),
      (
        "qwen2",
        "\"use_sliding_window\": true, \"layer_types\": [\"full_attention\", \"chunked_attention\"]",
        "key \"layer_types\": not supported yet: \"chunked_attention\""
      ),
      (
        "gemma3_text", "\"sliding_window\": null, \"sliding_window_pattern\": 2",
        "key \"sliding_window\": found null"
      ),
      (
        "gemma3_text", "\"rope_parameters\": {\"rope_theta\": 1e4}",
        "key \"rope_parameters.full_attention\": found nothing"
      ),
      (
        "gemma3_text", "\"attn_logit_softcapping\": 50",
        "key \"attn_logit_softcapping\": not supported yet: 50"
      ),
      (
        "gemma3_text", "\"hidden_activation\": \"silu\"",
        "key \"hidden_activation\": not supported yet: \"silu\", expected \"gelu_pytorch_tanh\""
      ),
      (
        "mixtral", "\"num_local_experts\": 2, \"num_experts_per_tok\": 3",
        "key \"num_experts_per_tok\": found 3, expected at most the 2 experts"
      ),
      ("mixtral", "\"num_experts_per_tok\": 3", "key \"num_local_experts\": found nothing"),
      (
        "qwen3_moe",
        "\"num_experts\": 4, \"num_experts_per_tok\": 2, \"moe_intermediate_size\": 8, "
          + "\"mlp_only_layers\": [2]",
        "key \"mlp_only_layers\": found 2, expected layers from 0 to 1"
      ),
      ("deepseek_v3", "\"qk_rope_head_dim\": 8", "key \"kv_lora_rank\": found nothing"),
      (
        "deepseek_v3",
        "\"qk_rope_head_dim\": 7, \"kv_lora_rank\": 8, \"qk_nope_head_dim\": 4, \"v_head_dim\": 4, "
          + "\"first_k_dense_replace\": 2",
        "key \"qk_rope_head_dim\": found 7, expected an even number"
      ),
      (
        "deepseek_v3",
        "\"qk_rope_head_dim\": 8, \"kv_lora_rank\": 8, \"qk_nope_head_dim\": 4, \"v_head_dim\": 4, "
          + "\"first_k_dense_replace\": 0, \"moe_intermediate_size\": 8, \"n_routed_experts\": 9, "
          + "\"num_experts_per_tok\": 2, \"n_group\": 2", "key \"n_group\": found 2"
      ),
      (
        "deepseek_v3",
        "\"qk_rope_head_dim\": 8, \"kv_lora_rank\": 8, \"qk_nope_head_dim\": 4, \"v_head_dim\": 4, "
          + "\"first_k_dense_replace\": 0, \"scoring_func\": \"softmax\"",
        "key \"scoring_func\": not supported yet: \"softmax\""
      ),
      (
        "llama", "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [1]}",
        "key \"quantization_config.weight_block_size\": found a list of 1"
      ),
    ])
  func refused(modelType: String, keys: String, message: String) throws {
    let text = """
      {"model_type": "\(modelType)", "hidden_size": 16, "num_hidden_layers": 2,
       "num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 16,
       "vocab_size": 16, "head_dim": 8,
       "rms_norm_eps": 1e-06, \(keys)}
      """
    let error = try #require(throws: CheckpointError.self) {
      try HFConfig(json: Array(text.utf8), file: "config.json")
    }
    #expect(error.description.hasPrefix("config.json: \(message)"), "\(error)")
    #expect(error.description.contains(", expected ") && error.exitCode == 65)
  }
}
