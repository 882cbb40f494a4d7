/// What a decoder's weights have beyond a Llama's: two norms a layer, no biases, one dense MLP a layer.
/// All widths are elements.
public struct WeightTraits: Sendable, Hashable {
  /// Norms of the hidden width in a layer: 2, Gemma 4.
  public var normsPerLayer: Int
  /// Biases on query, key and value projections (Qwen2).
  public var queryKeyValueBiases: Bool
  /// A bias on the output projection (gpt-oss).
  public var outputBias: Bool
  /// Biases on the projections into latents, of rows and of low-rank queries (DeepSeek, where its
  /// configuration says so).
  public var latentBiases: Bool
  /// Biases on the three projections of dense MLPs.
  public var mlpBiases: Bool
  /// A norm of the head width on queries and one on keys (Qwen3, Gemma 3); grouped heads only.
  public var queryKeyNorms: Bool
  /// One learned sink logit a query head (gpt-oss).
  public var sinkLogits: Bool
  /// Rank of a low-rank query projection with its norm; nil: one matrix.
  public var queryRank: Int?
  /// A norm on the latent of latent attention (DeepSeek).
  public var latentNorm: Bool
  /// A mixture of experts in place of the MLP.
  public var experts: ExpertTraits?

  /// The traits of a Llama, where nothing else is said.
  public init(
    normsPerLayer: Int = 2, queryKeyValueBiases: Bool = false, outputBias: Bool = false,
    queryKeyNorms: Bool = false, sinkLogits: Bool = false, queryRank: Int? = nil,
    latentNorm: Bool = false, latentBiases: Bool = false, mlpBiases: Bool = false,
    experts: ExpertTraits? = nil
  ) {
    self.normsPerLayer = normsPerLayer
    self.queryKeyValueBiases = queryKeyValueBiases
    self.outputBias = outputBias
    self.queryKeyNorms = queryKeyNorms
    self.sinkLogits = sinkLogits
    self.queryRank = queryRank
    self.latentNorm = latentNorm
    self.latentBiases = latentBiases
    self.mlpBiases = mlpBiases
    self.experts = experts
  }

  /// A Llama's.
  public static let llama = WeightTraits()

  func checkSizes() throws(PlannerError) {
    try SizeLimit.check(normsPerLayer, "norms a layer", in: 0...64)
    if let queryRank { try SizeLimit.check(queryRank, "query rank", in: 1...SizeLimit.width) }
    guard let experts else { return }
    try SizeLimit.check(experts.count, "experts", in: 1...SizeLimit.heads)
    try SizeLimit.check(experts.active, "active experts", in: 1...experts.count)
    try SizeLimit.check(experts.shared, "shared experts", in: 0...SizeLimit.heads)
    try SizeLimit.check(experts.width, "expert width", in: 1...SizeLimit.width)
    try SizeLimit.check(experts.leadingDenseLayers, "dense layers", in: 0...SizeLimit.layers)
    try SizeLimit.check(experts.sparseStep, "layers for each mixture", in: 1...SizeLimit.layers)
    if let width = experts.sharedWidth {
      try SizeLimit.check(width, "shared expert width", in: 1...SizeLimit.width)
    }
  }
}

/// A mixture of SwiGLU experts with a linear router.
public struct ExpertTraits: Sendable, Hashable {
  /// Routed experts of a layer (E).
  public var count: Int
  /// Routed experts that a token uses (k).
  public var active: Int
  /// Width of one expert.
  public var width: Int
  /// Experts that every token uses beside the routed ones, each of the same width.
  public var shared: Int
  /// Inner width of the shared experts together; nil: each has that of a routed one.
  public var sharedWidth: Int?
  /// A gate of the shared experts' result, of the hidden width (Qwen2-MoE).
  public var sharedGate: Bool
  /// First layers that keep a dense MLP of the geometry's width.
  public var leadingDenseLayers: Int
  /// Of so many layers the last has a mixture, the others a dense MLP.
  public var sparseStep: Int
  /// Layers with a dense MLP besides.
  public var denseLayers: [Int]
  /// One bias an expert in the router.
  public var routerBias: Bool
  /// Biases in the experts: two of the expert width and one of the hidden width.
  public var expertBiases: Bool

  /// A mixture without shared experts, dense layers or biases, where nothing else is said.
  public init(
    count: Int, active: Int, width: Int, shared: Int = 0, leadingDenseLayers: Int = 0,
    routerBias: Bool = false, expertBiases: Bool = false, sharedWidth: Int? = nil,
    sharedGate: Bool = false, sparseStep: Int = 1, denseLayers: [Int] = []
  ) {
    self.count = count
    self.active = active
    self.width = width
    self.shared = shared
    self.sharedWidth = sharedWidth
    self.sharedGate = sharedGate
    self.leadingDenseLayers = leadingDenseLayers
    self.sparseStep = sparseStep
    self.denseLayers = denseLayers
    self.routerBias = routerBias
    self.expertBiases = expertBiases
  }

  /// Whether a layer has the mixture, not a dense MLP.
  public func isIn(layer: Int) -> Bool {
    layer >= leadingDenseLayers && (layer + 1) % sparseStep == 0 && !denseLayers.contains(layer)
  }

  /// Inner width of all shared experts together; 0: none.
  public var allSharedWidth: Int { sharedWidth ?? shared * width }

  /// Share of the routed experts that a step of `tokens` tokens touches when each picks its
  /// experts at random: 1 − (1 − k/E)^tokens.
  public func touchedShare(tokens: Int) -> Double {
    guard count > 0, tokens > 0 else { return 0 }
    var untouched = 1.0
    var base = min(max(1 - Double(active) / Double(count), 0), 1)
    var exponent = tokens
    while exponent > 0 {
      if exponent & 1 == 1 { untouched *= base }
      base *= base
      exponent >>= 1
    }
    return 1 - untouched
  }
}
