/// The mixture of experts of a configuration.
public struct HFMixture: Hashable, Sendable {
  /// Routed experts of a layer.
  public var expertCount: Int
  /// Routed experts that a token uses.
  public var expertsPerToken: Int
  /// Inner width of a routed expert.
  public var width: Int
  /// Inner width of the expert that every token uses beside the routed ones; nil: none.
  public var sharedWidth: Int?
  /// `first_k_dense_replace`: first layers that keep a dense MLP.
  public var leadingDenseLayers = 0
  /// `decoder_sparse_step`: of so many layers the last has a mixture.
  public var sparseStep = 1
  /// `mlp_only_layers`: layers with a dense MLP besides.
  public var denseLayers: [Int] = []
  /// `norm_topk_prob`: whether the weights of the chosen experts are made to sum to 1.
  public var normalisesWeights = false
  /// `n_group`: groups of experts; 1: none.
  public var groups = 1
  /// `topk_group`: groups that a token chooses from.
  public var groupsKept = 1
  /// `routed_scaling_factor`: multiplies the weights.
  public var scale = 1.0
  /// `swiglu_alpha` and `swiglu_limit` of gpt-oss's experts.
  public var swishAlpha = 1.702
  public var swishLimit = 7.0

  /// A mixture in every layer, without groups or a shared expert.
  public init(expertCount: Int, expertsPerToken: Int, width: Int) {
    self.expertCount = expertCount
    self.expertsPerToken = expertsPerToken
    self.width = width
  }

  /// Whether the layer has the mixture, not a dense MLP.
  public func isIn(layer: Int) -> Bool {
    layer >= leadingDenseLayers && (layer + 1) % sparseStep == 0 && !denseLayers.contains(layer)
  }
}

extension HFMixture {
  private static let mostExperts = 1 << 16

  /// Reads the mixture that `architecture` has; nil where no layer has one.
  static func read(
    _ reader: ConfigReader, _ kind: HFArchitecture.Mixture, layers: Int, mlpWidth: Int
  ) throws(CheckpointError) -> HFMixture? {
    switch kind {
    case .mixtral, .gptOSS:
      var mixture = HFMixture(
        expertCount: try reader.experts(["num_local_experts", "num_experts"]),
        expertsPerToken: try reader.experts(["num_experts_per_tok", "experts_per_token"]),
        width: mlpWidth)
      mixture.normalisesWeights = true
      if kind == .gptOSS {
        mixture.swishAlpha = try reader.optionalPositive("swiglu_alpha") ?? mixture.swishAlpha
        mixture.swishLimit = try reader.optionalPositive("swiglu_limit") ?? mixture.swishLimit
      }
      return try mixture.checked(reader)
    case .qwen2, .qwen3: return try readQwen(reader, kind, layers: layers)
    case .deepseekV2, .deepseekV3: return try readDeepSeek(reader, kind, layers: layers)
    }
  }

  private static func readQwen(
    _ reader: ConfigReader, _ kind: HFArchitecture.Mixture, layers: Int
  ) throws(CheckpointError) -> HFMixture? {
    var mixture = HFMixture(
      expertCount: try reader.experts(["num_experts", "num_local_experts"]),
      expertsPerToken: try reader.experts(["num_experts_per_tok"]),
      width: try reader.size("moe_intermediate_size", limit: ConfigReader.Limit.width))
    if kind == .qwen2 {
      mixture.sharedWidth = try reader.size(
        "shared_expert_intermediate_size", limit: ConfigReader.Limit.width)
    }
    mixture.normalisesWeights = try reader.flag("norm_topk_prob", default: false)
    mixture.sparseStep =
      try reader.optionalSize("decoder_sparse_step", limit: ConfigReader.Limit.layers) ?? 1
    mixture.denseLayers = Set(try reader.layerIndices("mlp_only_layers", layers: layers)).sorted()
    return try mixture.checked(reader)
  }

  private static func readDeepSeek(
    _ reader: ConfigReader, _ kind: HFArchitecture.Mixture, layers: Int
  ) throws(CheckpointError) -> HFMixture? {
    let isV3 = kind == .deepseekV3
    let dense =
      try reader.optionalCount("first_k_dense_replace", limit: 1 << 30) ?? (isV3 ? 3 : 0)
    if dense >= layers { return nil }
    for (key, expected) in [
      ("scoring_func", isV3 ? "sigmoid" : "softmax"), ("topk_method", isV3 ? "noaux_tc" : ""),
    ] {
      if let found = try reader.optionalString(key), !expected.isEmpty, found != expected {
        throw reader.malformed(
          key, found: CheckpointError.quoted(found),
          expected: CheckpointError.quoted(expected), kind: .unsupported)
      }
    }
    if let every = try reader.optionalSize("moe_layer_freq", limit: 1 << 30), every != 1 {
      throw reader.malformed("moe_layer_freq", found: "\(every)", expected: "1", kind: .unsupported)
    }
    let width = try reader.size("moe_intermediate_size", limit: ConfigReader.Limit.width)
    var mixture = HFMixture(
      expertCount: try reader.experts(["n_routed_experts", "num_experts", "num_local_experts"]),
      expertsPerToken: try reader.experts(["num_experts_per_tok"]), width: width)
    mixture.leadingDenseLayers = dense
    mixture.sharedWidth = try reader.optionalCount("n_shared_experts", limit: 1 << 10)
      .flatMap { $0 == 0 ? nil : $0 * width }
    mixture.normalisesWeights = try reader.flag("norm_topk_prob", default: isV3)
    mixture.scale = try reader.optionalPositive("routed_scaling_factor") ?? (isV3 ? 2.5 : 1)
    if !isV3, mixture.normalisesWeights {
      throw reader.malformed(
        "norm_topk_prob", found: "true", expected: "false, as transformers has it for DeepSeek-V2",
        kind: .unsupported)
    }
    var grouped = isV3
    if !isV3 {
      let method = try reader.optionalString("topk_method") ?? "greedy"
      guard ["greedy", "group_limited_greedy"].contains(method) else {
        throw reader.malformed(
          "topk_method", found: CheckpointError.quoted(method),
          expected: "\"greedy\" or \"group_limited_greedy\"", kind: .unsupported)
      }
      grouped = method == "group_limited_greedy"
    }
    if grouped {
      mixture.groups =
        try reader.optionalSize("n_group", limit: mostExperts) ?? (isV3 ? 8 : 1)
      mixture.groupsKept =
        try reader.optionalSize("topk_group", limit: mostExperts) ?? (isV3 ? 4 : 1)
      if mixture.groups == 1 { mixture.groupsKept = 1 }
      try mixture.checkGroups(reader, fewestInGroup: isV3 ? 2 : 1)
    }
    return try mixture.checked(reader)
  }

  private func checkGroups(
    _ reader: ConfigReader, fewestInGroup: Int
  ) throws(CheckpointError) {
    if groups == 1 { return }
    guard expertCount.isMultiple(of: groups), expertCount / groups >= fewestInGroup else {
      throw reader.malformed(
        "n_group", found: "\(groups)",
        expected:
          "a divisor of the \(expertCount) experts that leaves at least \(fewestInGroup) a group")
    }
    guard groupsKept <= groups, expertCount / groups * groupsKept >= expertsPerToken else {
      throw reader.malformed(
        "topk_group", found: "\(groupsKept)",
        expected: "at most the \(groups) groups, with \(expertsPerToken) experts in them")
    }
  }

  private func checked(_ reader: ConfigReader) throws(CheckpointError) -> HFMixture {
    guard expertsPerToken <= expertCount else {
      throw reader.malformed(
        "num_experts_per_tok", found: "\(expertsPerToken)",
        expected: "at most the \(expertCount) experts")
    }
    return self
  }
}

extension HFMixture {
  /// The keys that describe the mixture, or, where `mixture` is nil, that no layer has one.
  static func members(
    _ mixture: HFMixture?, _ kind: HFArchitecture.Mixture, layers: Int
  ) -> [String: JSONValue] {
    switch (kind, mixture) {
    case (.deepseekV2, nil), (.deepseekV3, nil):
      // Experts must be named, though no layer has them.
      var none = HFMixture(expertCount: 8, expertsPerToken: 1, width: 8)
      none.leadingDenseLayers = layers
      none.sharedWidth = 8
      return members(none, kind, layers: layers)
    case (_, nil): return [:]
    case (.mixtral, let mixture?):
      return [
        "num_local_experts": .integer(mixture.expertCount),
        "num_experts_per_tok": .integer(mixture.expertsPerToken),
      ]
    case (.gptOSS, let mixture?):
      return [
        "num_local_experts": .integer(mixture.expertCount),
        "num_experts_per_tok": .integer(mixture.expertsPerToken),
        "experts_per_token": .integer(mixture.expertsPerToken),
        "swiglu_alpha": .real(mixture.swishAlpha), "swiglu_limit": .real(mixture.swishLimit),
      ]
    case (.qwen2, let mixture?), (.qwen3, let mixture?):
      var result: [String: JSONValue] = [
        "num_experts": .integer(mixture.expertCount),
        "num_experts_per_tok": .integer(mixture.expertsPerToken),
        "moe_intermediate_size": .integer(mixture.width),
        "norm_topk_prob": .bool(mixture.normalisesWeights),
        "decoder_sparse_step": .integer(mixture.sparseStep),
        "mlp_only_layers": .array(mixture.denseLayers.map { .integer($0) }),
      ]
      if let shared = mixture.sharedWidth {
        result["shared_expert_intermediate_size"] = .integer(shared)
      }
      return result
    case (.deepseekV2, let mixture?), (.deepseekV3, let mixture?):
      let isV3 = kind == .deepseekV3
      return [
        "n_routed_experts": .integer(mixture.expertCount),
        "num_experts_per_tok": .integer(mixture.expertsPerToken),
        "moe_intermediate_size": .integer(mixture.width),
        "n_shared_experts": mixture.sharedWidth.map { .integer($0 / mixture.width) } ?? .null,
        "first_k_dense_replace": .integer(mixture.leadingDenseLayers),
        "moe_layer_freq": .integer(1),
        "norm_topk_prob": .bool(mixture.normalisesWeights),
        "routed_scaling_factor": .real(mixture.scale),
        "n_group": .integer(mixture.groups), "topk_group": .integer(mixture.groupsKept),
        "scoring_func": .string(isV3 ? "sigmoid" : "softmax"),
        "topk_method": .string(
          isV3 ? "noaux_tc" : mixture.groups > 1 ? "group_limited_greedy" : "greedy"),
      ]
    }
  }
}

extension ConfigReader {
  /// A number of experts at the first of `keys` that is there.
  fileprivate func experts(_ keys: [String]) throws(CheckpointError) -> Int {
    for key in keys.dropFirst() where value(keys[0]) == nil && value(key) != nil {
      return try size(key, limit: 1 << 16)
    }
    return try size(keys[0], limit: 1 << 16)
  }

  /// Indices of layers at `key`; none where it is absent or null.
  fileprivate func layerIndices(_ key: String, layers: Int) throws(CheckpointError) -> [Int] {
    guard let value = value(key) else { return [] }
    guard case .array(let items) = value else {
      throw malformed(key, found: value.summary, expected: "a list of layers")
    }
    var result: [Int] = []
    for item in items {
      guard case .integer(let index) = item, (0..<layers).contains(index) else {
        throw malformed(key, found: item.summary, expected: "layers from 0 to \(layers - 1)")
      }
      result.append(index)
    }
    return result
  }
}
