extension HFRope {
  /// Reads the RoPE of all layers, and that of layers with a window where it is another one.
  ///
  /// The newer form is `rope_parameters`, flat or an object for each kind of layer; the older one
  /// `rope_theta`, `rope_scaling` and, for Gemma 3, `rope_local_base_freq`. Where a file has both,
  /// a `rope_scaling` that is not empty counts, as in transformers 5.
  static func read(
    _ reader: ConfigReader, architecture: HFArchitecture, maximumPositions: Int
  ) throws(CheckpointError) -> (all: HFRope, local: HFRope?) {
    let scaling = try reader.optionalObject("rope_scaling").flatMap {
      $0.members.isEmpty ? nil : $0
    }
    let parameters = try reader.optionalObject("rope_parameters")
    let theta = try reader.optionalPositive("rope_theta")
    let context = Context(
      theta: theta ?? architecture.defaults.ropeTheta, maximumPositions: maximumPositions,
      original: try reader.optionalSize(
        "original_max_position_embeddings", limit: ConfigReader.Limit.positions))
    if !architecture.hasLocalRope {
      for object in [scaling, parameters] { try object?.refuseNestedRope() }
      // Both are checked, whichever counts.
      let newer = try parameters.map { object throws(CheckpointError) in
        try HFRope(object, context)
      }
      let older = try scaling.map { object throws(CheckpointError) in
        try HFRope(object, context)
      }
      if architecture.mixture == .gptOSS, newer == nil, older == nil {
        return (Self.gptOSSDefault(theta: context.theta), nil)
      }
      return (older ?? newer ?? HFRope(theta: context.theta), nil)
    }
    var global = try parameters?.optionalObject("full_attention")
    if let parameters, global == nil, parameters.value("sliding_attention") == nil,
      !parameters.members.isEmpty
    {
      throw parameters.malformed(
        "full_attention", found: "nothing",
        expected: "an object for each kind of layer, full_attention and sliding_attention")
    }
    if let scaling {
      try scaling.refuseNestedRope()
      let merged = (global?.members ?? [:]).merging(scaling.members) { $1 }
      global = ConfigReader(file: reader.file, members: merged, prefix: scaling.prefix)
    }
    let local = try parameters?.optionalObject("sliding_attention")
    let localTheta =
      try reader.optionalPositive("rope_local_base_freq") ?? architecture.defaults.localRopeTheta
    var localContext = context
    localContext.theta = localTheta
    // Only the flat form looks at the outer key.
    localContext.original = nil
    return (
      try global.map { object throws(CheckpointError) in
        try HFRope(object, localContext.with(context.theta))
      }
        ?? HFRope(theta: context.theta),
      try local.map { object throws(CheckpointError) in try HFRope(object, localContext) }
        ?? HFRope(theta: localTheta)
    )
  }

  /// What an object leaves to the keys around it.
  private struct Context {
    var theta: Double
    var maximumPositions: Int
    /// `original_max_position_embeddings` beside the object, which comes first.
    var original: Int?

    func with(_ theta: Double) -> Context {
      var copy = self
      copy.theta = theta
      return copy
    }
  }

  /// gpt-oss without any RoPE keys.
  private static func gptOSSDefault(theta: Double) -> HFRope {
    var rope = HFRope(theta: theta)
    rope.type = "yarn"
    rope.factor = 32
    rope.betaFast = 32
    rope.betaSlow = 1
    rope.truncates = false
    rope.originalMaximumPositions = 4_096
    return rope
  }

  private init(_ object: ConfigReader, _ context: Context) throws(CheckpointError) {
    let typeKey = object.value("rope_type") == nil ? "type" : "rope_type"
    let type = try object.optionalString(typeKey)
    if let type, !Self.knownTypes.contains(type) {
      throw object.malformed(
        typeKey, found: "RoPE type \(CheckpointError.quoted(type))",
        expected: "one of \(Self.knownTypes.joined(separator: ", "))", kind: .unsupported)
    }
    if type == nil, let factor = object.value("factor") {
      throw object.malformed(
        "rope_type", found: "nothing beside factor \(factor.summary)", expected: "a RoPE type")
    }
    if let factor = try object.optionalPositive("partial_rotary_factor"), factor != 1 {
      throw object.malformed(
        "partial_rotary_factor", found: "\(factor)", expected: "1", kind: .unsupported)
    }
    self.init(theta: try object.optionalPositive("rope_theta") ?? context.theta)
    self.type = type ?? "default"
    switch self.type {
    case "linear", "dynamic": factor = try object.positive("factor")
    case "llama3": try readLlama3(object, context)
    case "yarn": try readYarn(object, context)
    default: break
    }
  }

  private mutating func readLlama3(
    _ object: ConfigReader, _ context: Context
  ) throws(CheckpointError) {
    factor = try object.positive("factor")
    let low = try object.positive("low_freq_factor")
    let high = try object.positive("high_freq_factor")
    guard low < high else {
      throw object.malformed(
        "high_freq_factor", found: "\(high)", expected: "more than low_freq_factor, \(low)")
    }
    (lowFrequencyFactor, highFrequencyFactor) = (low, high)
    originalMaximumPositions = try Self.original(object, context)
  }

  private mutating func readYarn(
    _ object: ConfigReader, _ context: Context
  ) throws(CheckpointError) {
    let original = try Self.original(object, context)
    originalMaximumPositions = original
    factor =
      try object.optionalPositive("factor")
      ?? Double(context.maximumPositions) / Double(original)
    attentionFactor = try object.optionalPositive("attention_factor")
    // Zeros stand for nothing, as in transformers.
    betaFast = try object.optionalNumber("beta_fast").flatMap { $0 == 0 ? nil : $0 }
    betaSlow = try object.optionalNumber("beta_slow").flatMap { $0 == 0 ? nil : $0 }
    mscale = try object.optionalNumber("mscale").flatMap { $0 == 0 ? nil : $0 }
    mscaleAllDimensions = try object.optionalNumber("mscale_all_dim").flatMap { $0 == 0 ? nil : $0 }
    truncates = try object.flag("truncate", default: true)
    for (key, value) in [("beta_fast", betaFast), ("beta_slow", betaSlow)] {
      if let value, value < 0 {
        throw object.malformed(key, found: "\(value)", expected: "a number above 0")
      }
    }
  }

  private static func original(
    _ object: ConfigReader, _ context: Context
  ) throws(CheckpointError) -> Int {
    let own = try object.optionalSize(
      "original_max_position_embeddings", limit: ConfigReader.Limit.positions)
    return context.original ?? own ?? context.maximumPositions
  }
}

extension ConfigReader {
  /// The newer form may hold one object for each kind of layer.
  fileprivate func refuseNestedRope() throws(CheckpointError) {
    if let nested = members.sorted(by: { $0.key < $1.key })
      .first(where: { if case .object = $0.value { true } else { false } })
    {
      throw malformed(
        nested.key, found: "RoPE for one kind of layer", expected: "one RoPE for all layers",
        kind: .unsupported)
    }
  }
}

extension HFRope {
  /// The RoPE as an object of the newer form, its base among its keys, or of the older one without.
  func members(withTheta: Bool) -> [String: JSONValue] {
    var result: [String: JSONValue] = ["rope_type": .string(type)]
    if withTheta { result["rope_theta"] = .real(theta) } else { result["type"] = .string(type) }
    let numbers: [(String, Double?)] = [
      ("factor", factor), ("low_freq_factor", lowFrequencyFactor),
      ("high_freq_factor", highFrequencyFactor), ("attention_factor", attentionFactor),
      ("beta_fast", betaFast), ("beta_slow", betaSlow), ("mscale", mscale),
      ("mscale_all_dim", mscaleAllDimensions),
    ]
    for case (let key, let value?) in numbers { result[key] = .real(value) }
    if let originalMaximumPositions {
      result["original_max_position_embeddings"] = .integer(originalMaximumPositions)
    }
    if type == "yarn", !truncates { result["truncate"] = .bool(false) }
    return result
  }
}
