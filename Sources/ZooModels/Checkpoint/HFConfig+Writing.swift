extension HFConfig {
  /// The text of a `config.json`: sorted keys, RoPE in the newer and the older form, every field
  /// explicit.
  public var json: String { JSONValue.object(members).text(indented: true) + "\n" }

  /// The keys of a `config.json` and their values.
  var members: [String: JSONValue] {
    func optional(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }
    var members: [String: JSONValue] = [
      "architectures": .array([.string(architecture.name)]),
      "attention_dropout": .real(0),
      "bos_token_id": optional(beginTokenID),
      "eos_token_id": endTokenIDs.count > 1
        ? .array(endTokenIDs.map { .integer($0) }) : optional(endTokenIDs.first),
      "head_dim": .integer(headDimension),
      "hidden_act": .string(architecture.activation),
      "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(intermediateSize),
      "max_position_embeddings": .integer(maximumPositions),
      "model_type": .string(architecture.modelType),
      "num_attention_heads": .integer(headCount),
      "num_hidden_layers": .integer(layerCount),
      "num_key_value_heads": .integer(keyValueHeadCount),
      "rms_norm_eps": .real(rmsNormEpsilon),
      "tie_word_embeddings": .bool(tiesEmbeddings),
      "vocab_size": .integer(vocabularySize),
    ]
    func add(_ more: [String: JSONValue]) { members.merge(more) { $1 } }
    add(ropeMembers)
    add(windowMembers)
    add(biasMembers)
    if architecture.isGemma {
      members["hidden_activation"] = .string(architecture.activation)
      members["query_pre_attn_scalar"] = .real(queryScalar ?? Double(headDimension))
      members["final_logit_softcapping"] = logitSoftCap.map { .real($0) } ?? .null
      members["attn_logit_softcapping"] = attentionSoftCap.map { .real($0) } ?? .null
    }
    if let kind = architecture.mixture {
      add(HFMixture.members(mixture, kind, layers: layerCount))
    }
    if architecture.mixture == .deepseekV3 {
      members["rope_interleave"] = .bool(interleavesRope)
      members["num_nextn_predict_layers"] = .integer(0)
    }
    if architecture.isLatent { members["q_lora_rank"] = optional(queryLatentRank) }
    let latent: [(String, Int?)] = [
      ("kv_lora_rank", keyValueLatentRank), ("q_lora_rank", queryLatentRank),
      ("qk_rope_head_dim", ropeHeadDimension), ("qk_nope_head_dim", nopeHeadDimension),
      ("v_head_dim", valueHeadDimension),
    ]
    for case (let key, let value?) in latent { members[key] = .integer(value) }
    // transformers takes a head_dim for the RoPE's width there.
    if architecture.isLatent, let ropeHeadDimension {
      members["head_dim"] = .integer(ropeHeadDimension)
    }
    if let quantisation { members["quantization_config"] = quantisation.json }
    if let dtypeName {
      members["dtype"] = .string(dtypeName)
      members["torch_dtype"] = .string(dtypeName)
    }
    if let native { add(native.members(of: architecture)) }
    return members
  }

  /// Newer and older readers find the same RoPE.
  private var ropeMembers: [String: JSONValue] {
    var result: [String: JSONValue] = [
      "rope_theta": .real(rope.theta),
      "rope_scaling": rope.type == "default" ? .null : .object(rope.members(withTheta: false)),
    ]
    if architecture.hasLocalRope {
      let local = localRope ?? HFRope(theta: architecture.defaults.localRopeTheta)
      result["rope_local_base_freq"] = .real(local.theta)
      result["rope_parameters"] = .object([
        "full_attention": .object(rope.members(withTheta: true)),
        "sliding_attention": .object(local.members(withTheta: true)),
      ])
    } else {
      result["rope_parameters"] = .object(rope.members(withTheta: true))
    }
    return result
  }

  private var biasMembers: [String: JSONValue] {
    var result: [String: JSONValue] = [:]
    switch architecture.biases {
    case .none: break
    case .all: result["attention_bias"] = .bool(hasAttentionBias)
    case .queryKeyValue(let key, _):
      if !key.isEmpty { result[key] = .bool(hasAttentionBias) }
    }
    if architecture.hasMLPBiasKey { result["mlp_bias"] = .bool(hasMLPBias) }
    return result
  }

  /// Writes the configuration to `path`, beside it first and renamed then.
  ///
  /// - Throws: `CheckpointError` of kind `cannotWrite`.
  public func write(to path: String) throws(CheckpointError) {
    try OutputFile.write(json, to: path)
  }
}
