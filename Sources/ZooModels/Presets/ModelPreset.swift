import AttentionCore

/// A model as published: its geometry with its own variant in the notation, what its weights have
/// beyond a Llama's, and its parameter count.
public struct ModelPreset: Sendable, Hashable {
  /// Sizes, name and native notation.
  public let geometry: ModelGeometry
  /// Parameters as published; nil for the package's own models.
  public let published: PublishedParameters?
  /// Norms of the hidden width in a layer: 2, Gemma 4.
  public let normsPerLayer: Int
  /// Biases on query, key and value projections.
  public let queryKeyValueBiases: Bool
  /// A bias on the output projection.
  public let outputBias: Bool
  /// A norm of the head width on queries and one on keys.
  public let queryKeyNorms: Bool
  /// One learned sink logit a query head.
  public let sinkLogits: Bool
  /// Rank of a low-rank query projection; nil: one matrix.
  public let queryRank: Int?
  /// A norm on the latent of latent attention.
  public let latentNorm: Bool
  /// A mixture of experts in place of the MLP.
  public let experts: ModelExperts?
  /// Where the figures were read.
  public let source: String

  /// A preset; a Llama's weights where nothing else is said.
  public init(
    geometry: ModelGeometry, published: PublishedParameters? = nil, normsPerLayer: Int = 2,
    queryKeyValueBiases: Bool = false, outputBias: Bool = false, queryKeyNorms: Bool = false,
    sinkLogits: Bool = false, queryRank: Int? = nil, latentNorm: Bool = false,
    experts: ModelExperts? = nil, source: String
  ) {
    self.geometry = geometry
    self.published = published
    self.normsPerLayer = normsPerLayer
    self.queryKeyValueBiases = queryKeyValueBiases
    self.outputBias = outputBias
    self.queryKeyNorms = queryKeyNorms
    self.sinkLogits = sinkLogits
    self.queryRank = queryRank
    self.latentNorm = latentNorm
    self.experts = experts
    self.source = source
  }

  /// What the model is called.
  public var name: String { geometry.name }
}

/// A published parameter count.
public struct PublishedParameters: Sendable, Hashable {
  /// All parameters.
  public let total: Int
  /// Whether `total` is the exact count and not a rounded one.
  public let isExact: Bool
  /// Parameters that one token uses, rounded, for a mixture of experts.
  public let active: Int?

  /// An exact count.
  public init(exactly total: Int, active: Int? = nil) {
    self.total = total
    isExact = true
    self.active = active
  }

  /// A rounded count.
  public init(about total: Int, active: Int? = nil) {
    self.total = total
    isExact = false
    self.active = active
  }
}

/// A mixture of SwiGLU experts. Widths in elements.
public struct ModelExperts: Sendable, Hashable {
  /// Routed experts of a layer.
  public let count: Int
  /// Routed experts that a token uses.
  public let active: Int
  /// Width of one expert.
  public let width: Int
  /// Experts that every token uses beside the routed ones.
  public let shared: Int
  /// First layers that keep a dense MLP of the geometry's width.
  public let leadingDenseLayers: Int
  /// One bias an expert in the router.
  public let routerBias: Bool
  /// Biases in the experts.
  public let expertBiases: Bool

  /// A mixture without shared experts, dense layers or biases, where nothing else is said.
  public init(
    count: Int, active: Int, width: Int, shared: Int = 0, leadingDenseLayers: Int = 0,
    routerBias: Bool = false, expertBiases: Bool = false
  ) {
    self.count = count
    self.active = active
    self.width = width
    self.shared = shared
    self.leadingDenseLayers = leadingDenseLayers
    self.routerBias = routerBias
    self.expertBiases = expertBiases
  }
}
