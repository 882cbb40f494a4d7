import AttentionCore
import ZooMemory
import ZooPlanner
import ZooRecords

/// The search for one variant at one context.
struct MaxBatchCase: Sendable, Hashable {
  let variant: Variant
  let layouts: [KVLayout]
  let context: Int
  let weightBytes: Int
  let budgetBytes: Int

  /// The searches of a suite, in the order they run.
  /// - Throws: `HarnessError` where a variant has no meaning or the budget does not even hold its
  ///   weights.
  static func cases(of suite: Suite) throws(HarnessError) -> [MaxBatchCase] {
    guard let section = suite.maxBatch else { return [] }
    var cases: [MaxBatchCase] = []
    for context in section.contexts {
      for variant in suite.variants {
        let weights = ModelStore.weightBytes(suite, variant)
        let budget = section.budget.bytes(weights: weights)
        guard budget >= weights else {
          throw HarnessError(
            .usage,
            "budget smaller than the weights: \(section.budget), where the weights of "
              + "\(suite.geometry.name) as \(variant.notation) take \(weights) bytes")
        }
        cases.append(
          MaxBatchCase(
            variant: variant, layouts: try suite.layouts(variant), context: context,
            weightBytes: weights, budgetBytes: budget))
      }
    }
    return cases
  }

  /// What lists and plans of the sequences may add: the C library's heap grows in such steps.
  private static let heapStep = 128 << 10

  /// The largest batch by computation.
  func computed(_ suite: Suite, threads: Int) throws(PlannerError) -> ZooPlanner.MaxBatch {
    let workspace = WorkspacePlan(
      geometry: suite.geometry, layouts: layouts, threads: threads, chunk: MaxBatchChild.chunk)
    return try BatchPlanner.maxBatch(
      budget: budgetBytes, weights: weightBytes, overhead: Self.heapStep, layouts: layouts,
      storage: suite.storage,
      capacity: context, chunk: MaxBatchChild.chunk,
      workspace: { workspace.bytes(sequences: $0) })
  }

  /// The request to a child for `batch` sequences.
  func request(
    _ suite: Suite, threads: Int, batch: Int, context: Int? = nil, limit: Int?
  ) -> ChildRequest {
    ChildRequest(
      geometry: GeometryMessage(suite.geometry), variant: variant.notation,
      weights: suite.weights.rawValue, seed: suite.seed, threads: threads,
      cache: suite.storage.name, pageTokens: suite.storage.pageTokens,
      context: context ?? self.context, batch: batch, limitBytes: limit,
      seconds: suite.maxBatch?.secondsPerChild ?? 60)
  }
}
