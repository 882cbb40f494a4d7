import AllocationCounter
import AttentionCore
import Synchronization
import Testing
import ZooMemory
import ZooModels

@Suite(
  "A decode step allocates nothing", .enabled(if: allocation_counter_available() == 1),
  // OpenBLAS makes another buffer when it is called by more threads at once than ever before.
  .serialized)
struct DecoderAllocationTests {
  /// What the threads of `pool` allocate in `body`. One part a thread, none done before all have
  /// begun, starts and stops the counting.
  private static func allocations(of pool: WorkerPool, _ body: () throws -> Void) rethrows -> Int64
  {
    let counter = UnsafeMutablePointer<Int64>.allocate(capacity: 1)
    counter.initialize(to: 0)
    defer { counter.deallocate() }
    func watch(_ counter: UnsafeMutablePointer<Int64>?) {
      let begun = Atomic<Int>(0)
      pool.forEach(pool.threads) { _, _ in
        allocation_counter_watch(counter)
        begun.wrappingAdd(1, ordering: .sequentiallyConsistent)
        while begun.load(ordering: .sequentiallyConsistent) < pool.threads {}
      }
    }
    watch(counter)
    defer { watch(nil) }
    try body()
    return counter.pointee
  }

  @Test(
    "in a whole decoder with two sequences, after a warm-up of three steps",
    arguments: [
      "gqa:2", "mla:32+8", "mla:24+8x2/cla:2", "gqa:2/hybrid:2:1:16/sink:4@bf16",
      "mla:128+8/swa:24", "mla:128+8/swa:1",
    ], [1, 2])
  func decode(notation: String, threads: Int) throws {
    let pool = WorkerPool(threads: threads)
    let geometry = ModelGeometry(
      name: "small", layers: 6, hidden: 64, queryHeads: 4, keyValueHeads: 4, headWidth: 16,
      mlpWidth: 96, vocabulary: 50, tiedEmbeddings: true, maxPositions: 256)
    let model = try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant(notation),
      format: .bfloat16, seed: 1, pool: pool)
    try Self.expectNoAllocations(model, pool)
  }

  @Test(
    "with experts, sink logits, low-rank queries and frequencies that follow the length",
    arguments: ["deepseek-v3", "gpt-oss", "qwen2-moe", "gemma3", "llama-dynamic"])
  func checkpoints(name: String) throws {
    let pool = WorkerPool(threads: 2)
    try Self.expectNoAllocations(
      try TransformersFixture(name: name).model(format: nil, pool: pool), pool)
  }

  private static func expectNoAllocations(_ model: DecoderModel, _ pool: WorkerPool) throws {
    let runner = try DecoderRunner(model: model, pool: pool)
    for storage in [CacheStorage.ring, .contiguous, .paged(pageTokens: 4)] {
      let cache = try KVCache(
        layouts: model.layouts,
        plan: CachePlan(storage: storage, sequences: 2, capacity: 160, maxChunk: 40))
      var plan = BatchPlan()
      for length in [40, 5] {
        let sequence = try cache.addSequence()
        _ = try runner.prefill((0..<Int32(length)).map { $0 }, sequence: sequence, cache: cache)
        plan.append(sequence: sequence, start: length, count: 1)
      }
      var tokens: [Int32] = [7, 11]
      func step() throws {
        let logits = try tokens.withUnsafeBufferPointer {
          try runner.forward(tokens: $0, plan: plan, cache: cache)
        }
        for row in 0..<2 { tokens[row] = logits.row(row)[0] > 0 ? 3 : 4 }
        plan.advance()
      }
      for _ in 0..<3 { try step() }
      let taken = try allocations(of: pool) {
        for _ in 0..<100 { try step() }
      }
      #expect(taken == 0, "\(taken) allocations in 100 steps on \(storage)")
    }
  }
}
