extension HFConfig {
  /// Reads the `config.json` at `path`.
  ///
  /// - Throws: `CheckpointError`, naming the file and the key, for a missing file, text that is not
  ///   JSON, a needed key that is absent or of another type, sizes that do not fit each other, and an
  ///   architecture, activation, RoPE type or quantisation that is not known.
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
    guard case .object(let members) = root else {
      throw CheckpointError(
        kind: .malformed, file: file, place: "", found: root.summary, expected: "an object")
    }
    let reader = ConfigReader(file: file, members: members)
    let architecture = try Self.architecture(reader)
    try Self.refuseUnsupported(reader)

    let hiddenSize = try reader.size("hidden_size", limit: ConfigReader.Limit.width)
    let headCount = try reader.size("num_attention_heads", limit: ConfigReader.Limit.width)
    let keyValueHeadCount =
      try reader.optionalSize("num_key_value_heads", limit: ConfigReader.Limit.width) ?? headCount
    guard headCount % keyValueHeadCount == 0 else {
      throw reader.malformed(
        "num_key_value_heads", found: "\(keyValueHeadCount)",
        expected: "a divisor of the \(headCount) attention heads")
    }
    let headDimension: Int
    if let explicit = try reader.optionalSize("head_dim", limit: ConfigReader.Limit.width) {
      headDimension = explicit
    } else {
      guard hiddenSize % headCount == 0 else {
        throw reader.malformed(
          "head_dim", found: "nothing",
          expected: "a width, since \(headCount) heads do not divide hidden_size \(hiddenSize)")
      }
      headDimension = hiddenSize / headCount
    }
    self.init(
      architecture: architecture, hiddenSize: hiddenSize,
      layerCount: try reader.size("num_hidden_layers", limit: ConfigReader.Limit.layers),
      headCount: headCount, keyValueHeadCount: keyValueHeadCount, headDimension: headDimension,
      intermediateSize: try reader.size("intermediate_size", limit: ConfigReader.Limit.width),
      vocabularySize: try reader.size("vocab_size", limit: ConfigReader.Limit.vocabulary),
      maximumPositions: try reader.optionalSize(
        "max_position_embeddings", limit: ConfigReader.Limit.positions)
        ?? architecture.defaultMaximumPositions)

    guard let epsilon = try reader.optionalPositive("rms_norm_eps") else {
      throw reader.malformed("rms_norm_eps", found: "nothing", expected: "a number above 0")
    }
    rmsNormEpsilon = epsilon
    tiesEmbeddings = try reader.flag("tie_word_embeddings", default: false)
    rope = try Self.rope(reader)
    hasAttentionBias = try reader.flag("attention_bias", default: false)
    hasMLPBias = try reader.flag("mlp_bias", default: false)
    slidingWindow = try Self.slidingWindow(reader, architecture: architecture)
    keyValueLatentRank = try reader.optionalSize("kv_lora_rank", limit: ConfigReader.Limit.width)
    queryLatentRank = try reader.optionalSize("q_lora_rank", limit: ConfigReader.Limit.width)
    ropeHeadDimension = try reader.optionalSize("qk_rope_head_dim", limit: ConfigReader.Limit.width)
    nopeHeadDimension = try reader.optionalSize("qk_nope_head_dim", limit: ConfigReader.Limit.width)
    valueHeadDimension = try reader.optionalSize("v_head_dim", limit: ConfigReader.Limit.width)
    beginTokenID = try reader.tokenIDs("bos_token_id").first
    endTokenIDs = try reader.tokenIDs("eos_token_id")
    dtypeName = try reader.optionalString("dtype")
    if dtypeName == nil { dtypeName = try reader.optionalString("torch_dtype") }
  }

  private static func architecture(
    _ reader: ConfigReader
  ) throws(CheckpointError) -> HFArchitecture {
    if let value = reader.value("architectures") {
      guard case .array(let names) = value, case .string(let name)? = names.first else {
        throw reader.malformed(
          "architectures", found: value.summary, expected: "a list that starts with a class name")
      }
      if let known = HFArchitecture.known.first(where: { $0.name == name }) { return known }
      throw reader.malformed(
        "architectures", found: CheckpointError.quoted(name),
        expected: "one of " + HFArchitecture.known.map(\.name).joined(separator: ", "),
        kind: .unsupported)
    }
    guard let modelType = try reader.optionalString("model_type") else {
      throw reader.malformed("architectures", found: "nothing", expected: "a list of class names")
    }
    if let known = HFArchitecture.known.first(where: { $0.modelType == modelType }) { return known }
    throw reader.malformed(
      "model_type", found: CheckpointError.quoted(modelType),
      expected: "one of " + HFArchitecture.known.map(\.modelType).joined(separator: ", "),
      kind: .unsupported)
  }

  /// Refuses what would silently change the mathematics.
  private static func refuseUnsupported(_ reader: ConfigReader) throws(CheckpointError) {
    if let activation = try reader.optionalString("hidden_act"), activation != "silu" {
      throw reader.malformed(
        "hidden_act", found: CheckpointError.quoted(activation), expected: "\"silu\"",
        kind: .unsupported)
    }
    if let quantization = reader.value("quantization_config") {
      throw reader.malformed(
        "quantization_config", found: quantization.summary, expected: "weights in full precision",
        kind: .unsupported)
    }
    if let factor = try reader.optionalPositive("partial_rotary_factor"), factor != 1 {
      throw reader.malformed(
        "partial_rotary_factor", found: "\(factor)", expected: "1", kind: .unsupported)
    }
  }

  private static func slidingWindow(
    _ reader: ConfigReader, architecture: HFArchitecture
  ) throws(CheckpointError) -> Int? {
    guard architecture.hasSlidingWindow else { return nil }
    if reader.members["sliding_window"] == nil { return architecture.defaultSlidingWindow }
    return try reader.optionalSize("sliding_window", limit: ConfigReader.Limit.positions)
  }

  /// RoPE from the newer `rope_parameters` or the older `rope_theta` and `rope_scaling`. Where a file
  /// has both, every type must be one that is read, and the newer base counts, as in transformers.
  private static func rope(_ reader: ConfigReader) throws(CheckpointError) -> HFRope {
    var theta = try reader.optionalPositive("rope_theta")
    for key in ["rope_scaling", "rope_parameters"] {
      guard let object = try reader.optionalObject(key) else { continue }
      let typeKey = object.value("rope_type") == nil ? "type" : "rope_type"
      // The newer form may hold one object for each kind of layer.
      if let nested = object.members.sorted(by: { $0.key < $1.key })
        .first(where: { if case .object = $0.value { true } else { false } })
      {
        throw object.malformed(
          nested.key, found: "RoPE for one kind of layer", expected: "one RoPE for all layers",
          kind: .unsupported)
      }
      if let type = try object.optionalString(typeKey), !HFRope.knownTypes.contains(type) {
        throw object.malformed(
          typeKey, found: "RoPE type \(CheckpointError.quoted(type))",
          expected: "one of \(HFRope.knownTypes.joined(separator: ", "))", kind: .unsupported)
      }
      if object.value(typeKey) == nil, let factor = object.value("factor") {
        throw object.malformed(
          "rope_type", found: "nothing beside factor \(factor.summary)", expected: "a RoPE type")
      }
      if let factor = try object.optionalPositive("partial_rotary_factor"), factor != 1 {
        throw object.malformed(
          "partial_rotary_factor", found: "\(factor)", expected: "1", kind: .unsupported)
      }
      theta = try object.optionalPositive("rope_theta") ?? theta
    }
    return HFRope(theta: theta ?? 10_000)
  }
}
