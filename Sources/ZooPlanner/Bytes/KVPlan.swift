import AttentionCore

/// The bytes of a model's KV cache, summed over its layouts. Three kinds that are never mixed:
/// ideal (what the rows need), allocated (what a cache really holds) and read (what one decode
/// step moves).
public struct KVPlan: Sendable, Hashable {
  /// One layout a layer.
  public let layouts: [KVLayout]
  /// Bytes that one more token of one sequence adds while it is inside every window.
  public let idealBytesPerToken: Int
  /// Bytes that one more token adds once every window is full: the global layers' rows.
  public let idealBytesPerTokenPastWindows: Int

  /// The plan of a variant on a geometry.
  /// - Throws: `PlannerError` where the variant has no meaning there or a size is out of range.
  public init(geometry: ModelGeometry, variant: Variant) throws(PlannerError) {
    try self.init(layouts: geometry.checkedLayouts(variant))
  }

  /// The plan of given layouts, one a layer.
  /// - Throws: `PlannerError` where a size is out of range.
  public init(layouts: [KVLayout]) throws(PlannerError) {
    var inside: ExactCount = 0
    var past: ExactCount = 0
    for layout in layouts {
      try layout.checkSizes()
      inside += ExactCount(layout.idealBytesPerToken)
      if layout.reach.window == nil { past += ExactCount(layout.idealBytesPerToken) }
    }
    self.layouts = layouts
    idealBytesPerToken = try inside.get("bytes a token")
    idealBytesPerTokenPastWindows = try past.get("bytes a token")
  }

  /// Bytes that the rows of one sequence of `context` tokens need, scales included.
  /// - Throws: `PlannerError` where the context is out of range or the sum overflows.
  public func idealBytes(context: Int) throws(PlannerError) -> Int {
    try sum("ideal cache bytes", context: context) { $0.idealBytes(context: context) }
  }

  /// Bytes that the rows of several sequences need, one context each.
  /// - Throws: as `idealBytes(context:)`.
  public func idealBytes(contexts: [Int]) throws(PlannerError) -> Int {
    var total: ExactCount = 0
    for context in contexts { total += ExactCount(try idealBytes(context: context)) }
    return try total.get("ideal cache bytes")
  }

  /// Compulsory cache bytes of one decode step of one sequence that has `context` tokens, the
  /// current one included. A layer that shares rows reads its owner's again.
  /// - Throws: as `idealBytes(context:)`.
  public func readBytesPerStep(context: Int) throws(PlannerError) -> Int {
    try sum("cache bytes read", context: context) { $0.readBytes(context: context) }
  }

  /// FLOPs of attend in one decode step of one sequence, latent attention absorbed; a multiply
  /// and an add count as two.
  /// - Throws: as `idealBytes(context:)`.
  public func attendFLOPs(context: Int) throws(PlannerError) -> Int {
    try sum("attend FLOPs", context: context) { $0.attendFLOPs(context: context) }
  }

  /// FLOPs of attend ÷ cache bytes read at decode, whatever the batch; nil without rows to read.
  /// - Throws: as `idealBytes(context:)`.
  public func intensity(context: Int) throws(PlannerError) -> Double? {
    let bytes = try readBytesPerStep(context: context)
    return bytes == 0 ? nil : Double(try attendFLOPs(context: context)) / Double(bytes)
  }

  /// What a cache of this plan takes from the system: rows with rings, pages and padding, and
  /// metadata apart.
  /// - Throws: `PlannerError` where a size is out of range or the sum overflows.
  public func footprint(_ plan: CachePlan) throws(PlannerError) -> CacheFootprint {
    try SizeLimit.check(plan.sequences, "sequences", in: 1...Int.max)
    try SizeLimit.check(plan.capacity, "capacity", in: 1...Int.max)
    try SizeLimit.check(plan.maxChunk, "chunk", in: 1...Int.max)
    if let tokens = plan.storage.pageTokens {
      try SizeLimit.check(tokens, "tokens a page", in: 1...Int.max)
    }
    let footprint = CacheFootprint(layouts: layouts, plan: plan)
    guard footprint.totalBytes < Int.max else { throw .overflow("allocated cache bytes") }
    return footprint
  }

  private func sum(
    _ what: String, context: Int, _ term: (KVLayout) -> Int
  ) throws(PlannerError) -> Int {
    try SizeLimit.check(context, "context", in: 0...SizeLimit.tokens)
    var total: ExactCount = 0
    for layout in layouts {
      // The layout's own products must not overflow; both stay below these bounds.
      let shape = layout.shape
      let work = 4 * shape.streams * shape.queryHeadsPerStream
      let row = max(layout.rowBytesPerToken, work * max(shape.keyWidth, shape.valueWidth))
      _ = try (ExactCount(row) * ExactCount(layout.reach.visibleTokens(context: context)) * 4)
        .get(what)
      total += ExactCount(term(layout))
    }
    return try total.get(what)
  }
}
