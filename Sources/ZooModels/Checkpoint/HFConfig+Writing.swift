extension HFConfig {
  /// The text of a `config.json`: sorted keys, RoPE in the newer and the older form, every field
  /// explicit.
  public var json: String {
    func optional(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }
    var members: [String: JSONValue] = [
      "architectures": .array([.string(architecture.name)]),
      "attention_bias": .bool(hasAttentionBias),
      "attention_dropout": .real(0),
      "bos_token_id": optional(beginTokenID),
      "eos_token_id": endTokenIDs.count > 1
        ? .array(endTokenIDs.map { .integer($0) }) : optional(endTokenIDs.first),
      "head_dim": .integer(headDimension),
      "hidden_act": .string("silu"),
      "hidden_size": .integer(hiddenSize),
      "intermediate_size": .integer(intermediateSize),
      "max_position_embeddings": .integer(maximumPositions),
      "mlp_bias": .bool(hasMLPBias),
      "model_type": .string(architecture.modelType),
      "num_attention_heads": .integer(headCount),
      "num_hidden_layers": .integer(layerCount),
      "num_key_value_heads": .integer(keyValueHeadCount),
      "rms_norm_eps": .real(rmsNormEpsilon),
      "rope_parameters": .object([
        "rope_theta": .real(rope.theta), "rope_type": .string(rope.type),
      ]),
      "rope_scaling": .null,
      "rope_theta": .real(rope.theta),
      "tie_word_embeddings": .bool(tiesEmbeddings),
      "vocab_size": .integer(vocabularySize),
    ]
    if architecture.hasSlidingWindow { members["sliding_window"] = optional(slidingWindow) }
    let latent: [(String, Int?)] = [
      ("kv_lora_rank", keyValueLatentRank), ("q_lora_rank", queryLatentRank),
      ("qk_rope_head_dim", ropeHeadDimension), ("qk_nope_head_dim", nopeHeadDimension),
      ("v_head_dim", valueHeadDimension),
    ]
    for case (let key, let value?) in latent { members[key] = .integer(value) }
    if architecture == .deepseekV3 {
      members["head_dim"] = nil
      members.merge(deepseekMembers) { $1 }
    }
    if let dtypeName {
      members["dtype"] = .string(dtypeName)
      members["torch_dtype"] = .string(dtypeName)
    }
    return JSONValue.object(members).text(indented: true) + "\n"
  }

  /// Writes the configuration to `path`, beside it first and renamed then.
  ///
  /// - Throws: `CheckpointError` of kind `cannotWrite`.
  public func write(to path: String) throws(CheckpointError) {
    try OutputFile.write(json, to: path)
  }
}
