import AttentionCore

/// The parameters of a decoder with a variant's attention, counted tensor by tensor, and their
/// bytes.
///
/// Legend: D hidden width, N query heads, K key/value heads, H head width, V vocabulary, F MLP
/// width; latent attention: r rank, P width of one RoPE slice, d_n, d_r, d_v widths of the
/// position-free, RoPE and value part of a head. A layer that shares another's rows has no
/// projections that make rows.
public struct WeightPlan: Sendable, Hashable {
  /// V·D of the token embedding.
  public let embedding: Int
  /// V·D of the output head; 0 where it is the embedding.
  public let outputHead: Int
  /// Projections, biases and inner norms of all attention layers.
  public let attention: Int
  /// Dense MLPs, shared experts and routers of all layers.
  public let mlp: Int
  /// Routed experts of all layers.
  public let routedExperts: Int
  /// Norms of the hidden width, the last one included.
  public let norms: Int
  /// All parameters.
  public let total: Int
  /// Parameters that one token uses: all but the routed experts that it does not pick.
  public let active: Int
  /// Bits that one parameter takes in memory.
  public let bitsPerParameter: Int
  /// Bytes of all parameters.
  public let bytes: Int
  private let experts: ExpertTraits?

  /// Counts the weights of `variant` on `geometry`.
  /// - Parameter bitsPerParameter: 16 for half formats, 32 for float32.
  /// - Throws: `PlannerError` where the variant has no meaning on the geometry, a size is out of
  ///   range or a count overflows.
  public init(
    geometry: ModelGeometry, variant: Variant, traits: WeightTraits = .llama,
    bitsPerParameter: Int = 16
  ) throws(PlannerError) {
    try SizeLimit.check(bitsPerParameter, "bits a parameter", in: 1...64)
    try traits.checkSizes()
    let layouts = try geometry.checkedLayouts(variant)
    let hidden = ExactCount(geometry.hidden)
    var attention: ExactCount = 0
    var mlp: ExactCount = 0
    var routed: ExactCount = 0
    for layout in layouts {
      attention += Self.attention(layout, geometry: geometry, traits: traits)
      if let experts = traits.experts, experts.isIn(layer: layout.layer) {
        let one = Self.expert(experts, hidden: hidden)
        let router = ExactCount(experts.count) * (hidden + (experts.routerBias ? 1 : 0))
        mlp += router + 3 * hidden * ExactCount(experts.allSharedWidth)
        if experts.sharedGate { mlp += hidden }
        routed += ExactCount(experts.count) * one
      } else {
        let width = ExactCount(geometry.mlpWidth)
        mlp += 3 * hidden * width
        if traits.mlpBiases { mlp += 2 * width + hidden }
      }
    }
    let embedding = ExactCount(geometry.vocabulary) * hidden
    let outputHead: ExactCount = geometry.tiedEmbeddings ? 0 : embedding
    let norms = (ExactCount(layouts.count) * ExactCount(traits.normsPerLayer) + 1) * hidden
    let total = embedding + outputHead + attention + mlp + routed + norms
    // Eight bytes a parameter must fit as well.
    self.total = try (total * 64).get("parameters of \(geometry.name)") / 64
    self.embedding = try embedding.get("embedding")
    self.outputHead = try outputHead.get("output head")
    self.attention = try attention.get("attention")
    self.mlp = try mlp.get("MLP")
    routedExperts = try routed.get("experts")
    self.norms = try norms.get("norms")
    experts = traits.experts
    if let experts {
      active = self.total - routedExperts / experts.count * (experts.count - experts.active)
    } else {
      active = self.total
    }
    self.bitsPerParameter = bitsPerParameter
    bytes = (self.total * bitsPerParameter + 7) / 8
  }

  /// Parameters that a token is multiplied with in a decode step, two FLOPs each: the active ones
  /// without norms and without the embedding table, of which an untied model only reads a row.
  public var multipliedPerToken: Int { active - norms - (outputHead > 0 ? embedding : 0) }

  /// Bytes of weights that a decode step of `sequences` tokens must read: the dense ones, and the
  /// routed experts that it touches on average.
  public func touchedBytes(sequences: Int) -> Double {
    let dense = Double(total - routedExperts - (outputHead > 0 ? embedding : 0))
    let touched = (experts?.touchedShare(tokens: sequences) ?? 0) * Double(routedExperts)
    return (dense + touched) * Double(bitsPerParameter) / 8
  }

  private static func expert(_ experts: ExpertTraits, hidden: ExactCount) -> ExactCount {
    let width = ExactCount(experts.width)
    let matrices = 3 * hidden * width
    return experts.expertBiases ? matrices + 2 * width + hidden : matrices
  }

  private static func attention(
    _ layout: KVLayout, geometry: ModelGeometry, traits: WeightTraits
  ) -> ExactCount {
    let hidden = ExactCount(geometry.hidden)
    let heads = ExactCount(geometry.queryHeads)
    let queries: ExactCount  // width of all query heads
    let outputs: ExactCount  // width of all value heads, as the output projection reads them
    var count: ExactCount = 0
    switch layout.heads {
    case .grouped(let keyValueHeads):
      let head = ExactCount(geometry.headWidth)
      queries = heads * head
      outputs = queries
      let rows = 2 * ExactCount(keyValueHeads) * head
      if layout.ownsRows {
        count += rows * hidden
        if traits.queryKeyValueBiases { count += rows }
      }
      // The norm on keys stays with a layer that shares them, as published sharers have it.
      if traits.queryKeyNorms { count += 2 * head }
    case .latent(let latent):
      let rank = ExactCount(latent.rank)
      queries = heads * ExactCount(latent.headWidth)
      outputs = heads * ExactCount(latent.valueWidth)
      if layout.ownsRows {
        count += ExactCount(latent.rowWidth) * hidden
        if traits.latentNorm { count += rank }
        if traits.latentBiases { count += ExactCount(latent.rowWidth) }
      }
      // Up-projections of keys and values, each layer's own.
      count += heads * ExactCount(latent.nopeWidth + latent.valueWidth) * rank
    }
    if let queryRank = traits.queryRank {
      let rank = ExactCount(queryRank)
      count += hidden * rank + rank + rank * queries
      if traits.latentBiases { count += rank }
    } else {
      count += hidden * queries
    }
    count += outputs * hidden
    if traits.queryKeyValueBiases { count += queries }
    if traits.outputBias { count += hidden }
    if traits.sinkLogits { count += heads }
    return count
  }
}
