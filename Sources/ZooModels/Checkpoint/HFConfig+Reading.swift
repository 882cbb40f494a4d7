extension HFConfig {
  /// Reads the `config.json` at `path`.
  ///
  /// - Throws: `CheckpointError`, naming the file and the key, for a missing file, text that is not
  ///   JSON, a needed key that is absent or of another type, sizes that do not fit each other, and an
  ///   architecture, activation, RoPE type, layer type or quantisation that is not known.
  public init(path: String) throws(CheckpointError) {
    let storage = try MappedFile(path: path)
    let root = try storage.withBytes { bytes throws(CheckpointError) in
      try JSONParser.parse(bytes, file: path, place: "")
    }
    try self.init(root, file: path)
  }

  /// Reads the text of a `config.json`; `file` names it in errors.
  ///
  /// - Throws: as ``init(path:)``.
  public init(json: [UInt8], file: String) throws(CheckpointError) {
    var root = JSONValue.null
    try json.withBuffer { buffer throws(CheckpointError) in
      root = try JSONParser.parse(UnsafeRawBufferPointer(buffer), file: file, place: "")
    }
    try self.init(root, file: file)
  }

  private init(_ root: JSONValue, file: String) throws(CheckpointError) {
    guard case .object(let written) = root else {
      throw CheckpointError(
        kind: .malformed, file: file, place: "", found: root.summary, expected: "an object")
    }
    let native = try HFNativeAttention.read(written, file: file)
    let members = HFNativeMember.architectureMembers(written, native)
    var reader = ConfigReader(file: file, members: members)
    let architecture = try Self.architecture(reader)
    // A multimodal model keeps its text part in an object of its own.
    if let text = try reader.optionalObject("text_config") {
      reader = ConfigReader(
        file: file, members: members.merging(text.members) { $1 }, prefix: text.prefix)
    }
    try Self.refuseUnsupported(reader, architecture)
    try self.init(reader, architecture)

    guard
      let epsilon = try reader.optionalPositive("rms_norm_eps") ?? architecture.defaults.normEpsilon
    else {
      throw reader.malformed("rms_norm_eps", found: "nothing", expected: "a number above 0")
    }
    rmsNormEpsilon = epsilon
    tiesEmbeddings = try reader.flag(
      "tie_word_embeddings", default: architecture.defaults.tiesEmbeddings)
    (rope, localRope) = try HFRope.read(
      reader, architecture: architecture, maximumPositions: maximumPositions)
    switch architecture.biases {
    case .none: break
    case .all(let byDefault):
      hasAttentionBias = try reader.flag("attention_bias", default: byDefault)
    case .queryKeyValue(let key, let byDefault):
      hasAttentionBias = key.isEmpty ? byDefault : try reader.flag(key, default: byDefault)
    }
    if architecture.hasMLPBiasKey { hasMLPBias = try reader.flag("mlp_bias", default: false) }
    try readWindows(reader)
    if let kind = architecture.mixture {
      mixture = try HFMixture.read(
        reader, kind, layers: layerCount, mlpWidth: intermediateSize)
    }
    if architecture.isGemma { try readGemma(reader) }
    try readLatent(reader)
    quantisation = try HFQuantisation.read(reader)
    beginTokenID = try reader.tokenIDs("bos_token_id").first
    endTokenIDs = try reader.tokenIDs("eos_token_id")
    self.native = native?.attention
    try native?.attention.check(layers: layerCount, file: file)
    dtypeName = try reader.optionalString("dtype")
    if dtypeName == nil { dtypeName = try reader.optionalString("torch_dtype") }
  }

  /// The sizes that every architecture has.
  private init(
    _ reader: ConfigReader, _ architecture: HFArchitecture
  ) throws(CheckpointError) {
    let defaults = architecture.defaults
    func size(_ key: String, limit: Int, _ fallback: Int?) throws(CheckpointError) -> Int {
      if let fallback { return try reader.optionalSize(key, limit: limit) ?? fallback }
      return try reader.size(key, limit: limit)
    }
    let (width, headWidth) = (ConfigReader.Limit.width, ConfigReader.Limit.headWidth)
    let heads = ConfigReader.Limit.heads
    let hiddenSize = try reader.size("hidden_size", limit: width)
    let headCount = try size("num_attention_heads", limit: heads, defaults.headCount)
    let keyValueHeadCount =
      try reader.optionalSize("num_key_value_heads", limit: heads) ?? defaults.keyValueHeadCount
      ?? headCount
    guard headCount % keyValueHeadCount == 0 else {
      throw reader.malformed(
        "num_key_value_heads", found: "\(keyValueHeadCount)",
        expected: "a divisor of the \(headCount) attention heads")
    }
    let headDimension: Int
    if architecture.isLatent {
      headDimension = try reader.size("qk_rope_head_dim", limit: headWidth)
    } else if let explicit = try reader.optionalSize("head_dim", limit: headWidth)
      ?? defaults.headDimension
    {
      headDimension = explicit
    } else {
      guard hiddenSize % headCount == 0 else {
        throw reader.malformed(
          "head_dim", found: "nothing",
          expected: "a width, since \(headCount) heads do not divide hidden_size \(hiddenSize)")
      }
      headDimension = hiddenSize / headCount
    }
    guard headDimension.isMultiple(of: 2) else {
      throw reader.malformed(
        architecture.isLatent ? "qk_rope_head_dim" : "head_dim", found: "\(headDimension)",
        expected: "an even number, since RoPE turns pairs")
    }
    self.init(
      architecture: architecture, hiddenSize: hiddenSize,
      layerCount: try reader.size("num_hidden_layers", limit: ConfigReader.Limit.layers),
      headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      intermediateSize: try reader.size("intermediate_size", limit: width),
      vocabularySize: try size(
        "vocab_size", limit: ConfigReader.Limit.vocabulary, defaults.vocabularySize),
      maximumPositions: try reader.optionalSize(
        "max_position_embeddings", limit: ConfigReader.Limit.positions)
        ?? defaults.maximumPositions)
  }

  private mutating func readLatent(_ reader: ConfigReader) throws(CheckpointError) {
    let limit = ConfigReader.Limit.headWidth
    if architecture.isLatent {
      for key in ["kv_lora_rank", "qk_nope_head_dim", "v_head_dim"] {
        _ = try reader.size(key, limit: limit)
      }
    }
    keyValueLatentRank = try reader.optionalSize("kv_lora_rank", limit: limit)
    queryLatentRank = try reader.optionalSize(
      "q_lora_rank", limit: ConfigReader.Limit.width)
    if architecture.isLatent, reader.members["q_lora_rank"] == nil { queryLatentRank = 1_536 }
    ropeHeadDimension = try reader.optionalSize("qk_rope_head_dim", limit: limit)
    nopeHeadDimension = try reader.optionalSize("qk_nope_head_dim", limit: limit)
    valueHeadDimension = try reader.optionalSize("v_head_dim", limit: limit)
    if architecture.mixture == .deepseekV3 {
      interleavesRope = try reader.flag("rope_interleave", default: true)
    }
  }

  private mutating func readGemma(_ reader: ConfigReader) throws(CheckpointError) {
    queryScalar = try reader.optionalPositive("query_pre_attn_scalar") ?? 256
    // An absent cap is Gemma 2's own; an explicit null is none.
    func cap(_ key: String, byDefault: Double) throws(CheckpointError) -> Double? {
      if reader.members[key] == nil { return architecture.hasAttentionSoftCap ? byDefault : nil }
      return try reader.optionalPositive(key)
    }
    logitSoftCap = try cap("final_logit_softcapping", byDefault: 30)
    attentionSoftCap = try cap("attn_logit_softcapping", byDefault: 50)
    if let cap = attentionSoftCap, !architecture.hasAttentionSoftCap {
      throw reader.malformed(
        "attn_logit_softcapping", found: "\(cap)",
        expected: "null, since transformers ignores it in this architecture", kind: .unsupported)
    }
    if try reader.flag("use_bidirectional_attention", default: false) {
      throw reader.malformed(
        "use_bidirectional_attention", found: "true", expected: "false", kind: .unsupported)
    }
  }

  private static func architecture(
    _ reader: ConfigReader
  ) throws(CheckpointError) -> HFArchitecture {
    if let value = reader.value("architectures") {
      guard case .array(let names) = value, case .string(let name)? = names.first else {
        throw reader.malformed(
          "architectures", found: value.summary, expected: "a list that starts with a class name")
      }
      if let known = HFArchitecture.known(as: name) { return known }
      throw reader.malformed(
        "architectures", found: CheckpointError.quoted(name),
        expected: "one of " + HFArchitecture.known.map(\.name).joined(separator: ", "),
        kind: .unsupported)
    }
    guard let modelType = try reader.optionalString("model_type") else {
      throw reader.malformed("architectures", found: "nothing", expected: "a list of class names")
    }
    if let known = HFArchitecture.known(as: modelType) { return known }
    throw reader.malformed(
      "model_type", found: CheckpointError.quoted(modelType),
      expected: "one of " + HFArchitecture.known.map(\.modelType).joined(separator: ", "),
      kind: .unsupported)
  }

  /// Refuses what would silently change the mathematics.
  private static func refuseUnsupported(
    _ reader: ConfigReader, _ architecture: HFArchitecture
  ) throws(CheckpointError) {
    for key in ["hidden_act", "hidden_activation"] {
      if let activation = try reader.optionalString(key), activation != architecture.activation {
        throw reader.malformed(
          key, found: CheckpointError.quoted(activation),
          expected: CheckpointError.quoted(architecture.activation), kind: .unsupported)
      }
    }
    if let factor = try reader.optionalPositive("partial_rotary_factor"), factor != 1 {
      throw reader.malformed(
        "partial_rotary_factor", found: "\(factor)", expected: "1", kind: .unsupported)
    }
  }
}

extension HFArchitecture {
  /// The architecture of a class name or a model type.
  fileprivate static func known(as name: String) -> HFArchitecture? {
    known.first { $0.name == name || $0.modelType == name || $0.aliases.contains(name) }
  }
}
