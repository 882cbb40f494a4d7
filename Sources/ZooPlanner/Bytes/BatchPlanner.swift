import AttentionCore

/// What keeps one more sequence out.
public enum BatchLimit: String, Sendable, Hashable, Codable {
  /// The cache of one more sequence.
  case cache
  /// The workspace of one more sequence; its cache would still fit.
  case workspace
  /// Weights and fixed overhead already fill the budget.
  case overhead
}

/// The largest batch within a budget. All sizes in bytes.
public struct MaxBatch: Sendable, Hashable {
  /// The largest number of sequences that fits; 0 where none does.
  public let sequences: Int
  /// What binds.
  public let limitedBy: BatchLimit
  /// What was to be filled.
  public let budgetBytes: Int
  /// Weights and fixed overhead.
  public let fixedBytes: Int
  /// What the cache of `sequences` takes; nil for none.
  public let footprint: CacheFootprint?
  /// The workspace of `sequences`.
  public let workspaceBytes: Int

  /// Bytes in use at the largest batch.
  public var totalBytes: Int { fixedBytes + (footprint?.totalBytes ?? 0) + workspaceBytes }
}

/// Finds the largest batch by search on the exact bytes that a cache allocates.
public enum BatchPlanner {
  /// The largest B with `weights + overhead + footprint(B) + workspace(B) ≤ budget`.
  ///
  /// The bytes grow with B, so that a doubling search and a bisection find it in O(log B)
  /// footprints.
  /// - Parameters:
  ///   - budget: bytes to fill.
  ///   - weights: bytes of the weights.
  ///   - overhead: bytes that the process takes whatever the batch.
  ///   - layouts: one a layer.
  ///   - capacity: tokens that every sequence has room for.
  ///   - chunk: most tokens appended at once.
  ///   - workspace: bytes of workspace for a number of sequences, from 1 to as many as the cache
  ///     alone allows; it must not fall as sequences are added.
  /// - Throws: `PlannerError.budgetBelowWeights`, or where a size is out of range.
  public static func maxBatch(
    budget: Int, weights: Int, overhead: Int = 0, layouts: [KVLayout], storage: CacheStorage,
    capacity: Int, chunk: Int = 64, workspace: (_ sequences: Int) -> Int = { _ in 0 }
  ) throws(PlannerError) -> MaxBatch {
    try SizeLimit.check(budget, "budget", in: 0...SizeLimit.budget)
    try SizeLimit.check(weights, "weights", in: 0...Int.max)
    guard weights <= budget else {
      throw .budgetBelowWeights(budget: budget, weights: weights)
    }
    try SizeLimit.check(overhead, "overhead", in: 0...SizeLimit.budget)
    _ = try KVPlan(layouts: layouts)
    guard !LayerKind.kinds(of: layouts).isEmpty else {
      throw .invalid(name: "layouts", value: "without rows", expected: "a layer that owns rows")
    }
    try SizeLimit.check(capacity, "capacity", in: 1...Int.max)
    try SizeLimit.check(chunk, "chunk", in: 1...Int.max)
    if let tokens = storage.pageTokens {
      try SizeLimit.check(tokens, "tokens a page", in: 1...Int.max)
    }
    let fixed = weights + overhead
    guard fixed <= budget else {
      return MaxBatch(
        sequences: 0, limitedBy: .overhead, budgetBytes: budget, fixedBytes: fixed,
        footprint: nil, workspaceBytes: 0)
    }
    let free = budget - fixed

    func footprint(_ sequences: Int) -> CacheFootprint {
      CacheFootprint(
        layouts: layouts,
        plan: CachePlan(
          storage: storage, sequences: sequences, capacity: capacity, maxChunk: chunk))
    }
    // A footprint that 64 bits cannot hold saturates, so that it fits no budget.
    let byCache = largest(through: Int.max / 2) { footprint($0).totalBytes <= free }
    let sequences = try largest(through: byCache) { sequences throws(PlannerError) in
      let bytes = try checkedWorkspace(workspace, sequences)
      return bytes <= free - footprint(sequences).totalBytes
    }
    // One more sequence fits the cache alone exactly where the workspace keeps it out.
    return MaxBatch(
      sequences: sequences, limitedBy: sequences < byCache ? .workspace : .cache,
      budgetBytes: budget,
      fixedBytes: fixed, footprint: sequences > 0 ? footprint(sequences) : nil,
      workspaceBytes: sequences > 0 ? try checkedWorkspace(workspace, sequences) : 0)
  }

  private static func checkedWorkspace(
    _ workspace: (Int) -> Int, _ sequences: Int
  ) throws(PlannerError) -> Int {
    let bytes = workspace(sequences)
    try SizeLimit.check(bytes, "workspace of \(sequences) sequences", in: 0...Int.max)
    return bytes
  }

  /// The largest number from 0 through `limit` that fits, for a predicate that holds up to some
  /// number and not after it.
  private static func largest<Failure: Error>(
    through limit: Int, fits: (Int) throws(Failure) -> Bool
  ) throws(Failure) -> Int {
    var good = 0
    var bad = 1
    while bad <= limit, try fits(bad) {
      good = bad
      bad = bad > limit / 2 ? limit + 1 : bad * 2
    }
    while bad - good > 1 {
      let middle = good + (bad - good) / 2
      if try fits(middle) { good = middle } else { bad = middle }
    }
    return good
  }
}
