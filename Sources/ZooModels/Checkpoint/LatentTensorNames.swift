/// The names that Hugging Face gives the tensors of latent attention (DeepSeek-V2 and V3).
///
/// Legend: N heads, D hidden width, r and r_q the ranks of keys and values and of queries, d_n, d_r,
/// d_v the widths of a head's position-free, RoPE and value parts.
public struct LatentTensorNames: Hashable, Sendable {
  /// The layer, counted from 0.
  public let layer: Int

  public init(layer: Int) { self.layer = layer }

  private var prefix: String { "model.layers.\(layer).self_attn." }

  /// [N(d_n + d_r) × D], each head [nope, rope]; without a query rank.
  public var query: String { prefix + "q_proj" }
  /// [r_q × D].
  public var queryDown: String { prefix + "q_a_proj" }
  /// Gain of the query latent's RMSNorm, [r_q].
  public var queryNorm: String { prefix + "q_a_layernorm.weight" }
  /// [N(d_n + d_r) × r_q], each head [nope, rope].
  public var queryUp: String { prefix + "q_b_proj" }
  /// [(r + d_r) × D], latent rows first.
  public var down: String { prefix + "kv_a_proj_with_mqa" }
  /// Gain of the latent's RMSNorm, [r].
  public var latentNorm: String { prefix + "kv_a_layernorm.weight" }
  /// [N(d_n + d_v) × r], each head [key, value].
  public var up: String { prefix + "kv_b_proj" }
  /// [D × N·d_v].
  public var output: String { prefix + "o_proj" }
}

/// The names that Hugging Face gives the tensors of a mixture of experts, of inner width F.
public struct ExpertTensorNames: Hashable, Sendable {
  /// The layer, counted from 0.
  public let layer: Int
  /// Whose names they are.
  public let kind: HFArchitecture.Mixture

  public init(layer: Int, kind: HFArchitecture.Mixture) {
    self.layer = layer
    self.kind = kind
  }

  private var prefix: String {
    "model.layers.\(layer)." + (kind == .mixtral ? "block_sparse_moe." : "mlp.")
  }

  /// Scores of the experts, [experts × D].
  public var router: String { prefix + (kind == .gptOSS ? "router" : "gate") }
  /// Added to the scores for the choice, [experts] (DeepSeek-V3).
  public var correction: String { prefix + "gate.e_score_correction_bias" }

  /// The gate, up and down projections of an expert, [F × D] twice and [D × F].
  public func projections(ofExpert index: Int) -> (gate: String, up: String, down: String) {
    let expert = prefix + "experts.\(index)."
    return kind == .mixtral
      ? (expert + "w1", expert + "w3", expert + "w2")
      : (expert + "gate_proj", expert + "up_proj", expert + "down_proj")
  }

  /// The projections of the expert that every token uses.
  public var shared: (gate: String, up: String, down: String) {
    let expert = prefix + (kind == .qwen2 ? "shared_expert." : "shared_experts.")
    return (expert + "gate_proj", expert + "up_proj", expert + "down_proj")
  }

  /// The gate of that expert's result, [1 × D] (Qwen2-MoE).
  public var sharedGate: String { prefix + "shared_expert_gate" }

  /// Gate and up projections of all experts: [experts × 2F × D], the gate first; gpt-oss
  /// [experts × D × 2F], gate and up in turn.
  public var allGatesAndUps: String { prefix + "experts.gate_up_proj" }
  /// Down projections of all experts: [experts × D × F]; gpt-oss [experts × F × D].
  public var allDowns: String { prefix + "experts.down_proj" }
}
