import AttentionCore
import Testing
import ZooModels
import ZooPlanner

@Suite("The largest batch")
struct BatchPlannerTests {
  static let variants = [
    "mha", "gqa:8", "mla:512+64", "gqa:8/cla:2", "gqa:8/swa:1024", "gqa:8/hybrid:5:1:1024",
    "mla:512+64/cla:2", "mqa/swa:1000/sink:4",
  ]
  static let storages: [CacheStorage] = [.contiguous, .ring, .paged(pageTokens: 16)]

  @Test("fits, and one more does not", arguments: variants)
  func boundary(notation: String) throws {
    let plan = try cachePlan("llama-3.2-1b", notation)
    let weights = try weightPlan("llama-3.2-1b", notation).bytes
    for storage in Self.storages {
      for context in [1_000, 8_192] {
        for free in [1 << 28, 4 << 30, 5_000_000_007] {
          let overhead = 12_345_678
          let workspace = { (sequences: Int) in 1_000_000 + 4_096 * sequences }
          let budget = weights + overhead + free
          let best = try BatchPlanner.maxBatch(
            budget: budget, weights: weights, overhead: overhead, layouts: plan.layouts,
            storage: storage, capacity: context, workspace: workspace)
          func bytes(_ sequences: Int) throws -> Int {
            let cache = try plan.footprint(
              CachePlan(storage: storage, sequences: sequences, capacity: context))
            return weights + overhead + cache.totalBytes + workspace(sequences)
          }
          if best.sequences > 0 {
            #expect(try bytes(best.sequences) == best.totalBytes)
            #expect(best.totalBytes <= budget)
          }
          #expect(try bytes(best.sequences + 1) > budget)
        }
      }
    }
  }

  @Test("to the byte", arguments: storages)
  func exactByte(storage: CacheStorage) throws {
    let plan = try cachePlan("llama-3.2-1b", "gqa:8/hybrid:5:1:1024")
    for sequences in [1, 2, 7, 64, 100] {
      let cache = try plan.footprint(
        CachePlan(storage: storage, sequences: sequences, capacity: 8_192))
      func best(_ budget: Int) throws -> Int {
        try BatchPlanner.maxBatch(
          budget: budget, weights: 1_000, layouts: plan.layouts, storage: storage, capacity: 8_192
        ).sequences
      }
      #expect(try best(cache.totalBytes + 1_000) == sequences)
      #expect(try best(cache.totalBytes + 999) == sequences - 1)
    }
  }

  @Test("never falls as the budget grows")
  func monotonic() throws {
    for storage in Self.storages {
      let layouts = try cachePlan("gemma-3-1b").layouts
      var last = 0
      for step in 0..<200 {
        let best = try BatchPlanner.maxBatch(
          budget: step * 3_333_333, weights: 0, layouts: layouts, storage: storage,
          capacity: 5_000)
        #expect(best.sequences >= last)
        last = best.sequences
      }
      #expect(last > 3)
    }
  }

  @Test("1 GiB a sequence: Llama-3.1-8B at 8,192 tokens")
  func gibibyte() throws {
    let plan = try cachePlan("llama-3.1-8b")
    func best(_ budget: Int) throws -> Int {
      try BatchPlanner.maxBatch(
        budget: budget, weights: 0, layouts: plan.layouts, storage: .contiguous, capacity: 8_192
      ).sequences
    }
    // Four caches, 64 KiB a layer between keys and values, and a few bytes of lengths.
    let distances = 4 * 32 * (64 << 10)
    #expect(try best((4 << 30) + distances) == 3)
    #expect(try best((4 << 30) + distances + 4_096) == 4)
  }

  @Test("a window's ring and pages buy sequences that contiguous rows do not")
  func windowsBuySequences() throws {
    let plan = try cachePlan("llama-3.2-1b", "gqa:8/swa:1024")
    func best(_ storage: CacheStorage) throws -> Int {
      try BatchPlanner.maxBatch(
        budget: 4 << 30, weights: 0, layouts: plan.layouts, storage: storage, capacity: 32_768
      ).sequences
    }
    #expect(try best(.contiguous) == 3)
    #expect(try best(.ring) > 100)
    #expect(try best(.paged(pageTokens: 16)) > 100)
  }

  @Test("says what binds")
  func limits() throws {
    let plan = try cachePlan("tiny", "mha")
    func best(
      _ budget: Int, overhead: Int = 0, workspace: (Int) -> Int = { _ in 0 }
    ) throws -> MaxBatch {
      try BatchPlanner.maxBatch(
        budget: budget, weights: 1_000_000, overhead: overhead, layouts: plan.layouts,
        storage: .contiguous, capacity: 64, workspace: workspace)
    }
    let byCache = try best(2_000_000)
    #expect(byCache.limitedBy == .cache)
    let byWorkspace = try best(2_000_000) { $0 * 500_000 }
    #expect(byWorkspace.limitedBy == .workspace)
    #expect(byWorkspace.sequences == 1)
    #expect(try best(2_000_000) { _ in 1_000_001 }.sequences == 0)
    let byOverhead = try best(2_000_000, overhead: 1_000_001)
    #expect(byOverhead.limitedBy == .overhead)
    #expect(byOverhead.sequences == 0)
    #expect(try best(1_000_000).sequences == 0)
    let error = #expect(throws: PlannerError.self) { try best(999_999) }
    #expect(error == .budgetBelowWeights(budget: 999_999, weights: 1_000_000))
    #expect(error?.description.hasPrefix("budget smaller than the weights") == true)
  }

  @Test("sizes past any machine are refused or answered, never a trap")
  func hostileSizes() throws {
    let layouts = try cachePlan("tiny", "mqa").layouts
    for storage in Self.storages + [.paged(pageTokens: 1), .paged(pageTokens: Int.max)] {
      for capacity in [Int.min, 0, 1, 1 << 40, Int.max] {
        for chunk in [0, 1, Int.max] {
          for budget in [Int.min, 0, 1 << 56, Int.max] {
            for overhead in [-1, 0, Int.max] {
              _ = try? BatchPlanner.maxBatch(
                budget: budget, weights: 0, overhead: overhead, layouts: layouts, storage: storage,
                capacity: capacity, chunk: chunk
              ) { _ in Int.max }
            }
          }
        }
      }
    }
    let huge = try BatchPlanner.maxBatch(
      budget: 1 << 56, weights: 0, layouts: layouts, storage: .paged(pageTokens: 1), capacity: 1)
    let next = try KVPlan(layouts: layouts).footprint(
      CachePlan(storage: .paged(pageTokens: 1), sequences: huge.sequences + 1, capacity: 1))
    #expect(huge.totalBytes <= 1 << 56 && next.totalBytes > 1 << 56)
    #expect(throws: PlannerError.self) {
      try BatchPlanner.maxBatch(
        budget: 10, weights: 0, layouts: [], storage: .ring, capacity: 1)
    }
    #expect(throws: PlannerError.self) {
      try BatchPlanner.maxBatch(
        budget: 1 << 40, weights: 0, layouts: layouts, storage: .ring, capacity: 1
      ) { _ in -1 }
    }
  }
}
