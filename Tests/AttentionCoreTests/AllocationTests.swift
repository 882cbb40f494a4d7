import AllocationCounter
import AttentionCore
import Synchronization
import Testing
import ZooMemory

@Suite("A decode step allocates nothing", .enabled(if: allocation_counter_available() == 1))
struct AllocationTests {
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

  @Test("the counter sees blocks and mappings, on the caller and on workers")
  func counter() {
    let pool = WorkerPool(threads: 2)
    var kept: [[Int]] = []
    let blocks = Self.allocations(of: pool) {
      kept.append([Int](unsafeUninitializedCapacity: 1_000) { _, count in count = 0 })
    }
    #expect(blocks >= 1 && kept[0].capacity >= 1_000)
    let mappings = Self.allocations(of: pool) { _ = try? AlignedBuffer(count: 1 << 22) }
    #expect(mappings >= 2)
    let nothing = Self.allocations(of: pool) {}
    let workers = Self.allocations(of: pool) {
      pool.forEach(64) { _, _ in _ = try? AlignedBuffer(count: 1 << 12) }
    }
    #expect(workers >= 128 + nothing)
  }

  @Test(
    "in extend, append and attend, after a warm-up of three",
    arguments: [
      "gqa:2", "mha@f32", "mqa@bf16", "mla:48+16", "mla:48+16@f16:f32", "gqa:2@fixed:10",
      "gqa:2/swa:40/sink:4", "mqa/hybrid:2:1:100/cla:2", "mla:16+8/cla:3@f16:bf16",
      "[mha*2,mla:16+8/swa:7*2,mqa/swa:1/sink:1@f32,mqa@fixed:4]",
    ], [CacheStorage.contiguous, .ring, .paged(pageTokens: 16)])
  func decode(notation: String, storage: CacheStorage) throws {
    for threads in [1, 2, 3] {
      let layouts = try AxisRegistry.extended.layouts(
        notation, on: .attention("decode", layers: 6, queryHeads: 4, headWidth: 64))
      let cache = try KVCache(
        layouts: layouts,
        plan: CachePlan(storage: storage, sequences: 2, capacity: 600, maxChunk: 64))
      let layers = layouts.map { cache.layer($0.layer) }
      let pool = WorkerPool(threads: threads)
      let executor = AttendExecutor(pool: pool)
      let options = AttendOptions(scale: 0.125, sinkLogits: [0, 0, 0, 0])
      let widest = layouts.map { $0.shape.streams * $0.shape.keyWidth }.max() ?? 0
      let rows = [Float](repeating: 0.25, count: 64 * widest)
      let queries = [Float](repeating: 0.5, count: 2 * 4 * 64 * 2)
      let out = UnsafeMutablePointer<Float>.allocate(capacity: queries.count)
      defer { out.deallocate() }

      func append(_ sequence: Int, _ start: Int, _ count: Int) throws {
        try cache.extend(sequence, by: count)
        for layer in layers where layer.layout.ownsRows {
          let shape = layer.layout.shape
          rows.withUnsafeBufferPointer { rows in
            guard let base = rows.baseAddress else { return }
            layer.append(
              sequence: sequence, start: start, count: count, keys: base,
              keyStride: shape.streams * shape.keyWidth,
              values: shape.valueIsKeyPrefix ? nil : base,
              valueStride: shape.streams * shape.valueWidth)
          }
        }
      }
      func step(_ plan: inout BatchPlan) throws {
        for entry in plan.entries { try append(entry.sequence, entry.start, 1) }
        for layer in layers {
          try queries.withUnsafeBufferPointer { queries throws(CacheError) in
            guard let base = queries.baseAddress else { return }
            try executor.attend(
              queries: base, plan: plan, layer: layer, options: options, out: out)
          }
        }
        plan.advance()
      }

      // Contexts that grow past the sizes at which the work is cut into more pieces.
      var plan = BatchPlan()
      for length in [250, 480] {
        let sequence = try cache.addSequence()
        for start in stride(from: 0, to: length, by: 64) {
          try append(sequence, start, min(64, length - start))
        }
        plan.append(sequence: sequence, start: length, count: 1)
      }
      for _ in 0..<3 { try step(&plan) }

      let taken = try Self.allocations(of: pool) {
        for _ in 0..<50 { try step(&plan) }
      }
      #expect(taken == 0, "\(taken) allocations in 50 steps on \(threads) threads")
    }
  }
}
