import AttentionCore
import ZooMemory

/// Append and attend over all layers' own caches, without linear layers: what a variant costs by
/// itself. Queries are random and the same in every layer.
final class AttentionCase: DecodeCase {
  let cache: KVCache
  private let plan: BatchPlan
  private let executor: AttendExecutor
  private let rows: SyntheticRows
  private let queries: AlignedBuffer
  private let output: AlignedBuffer
  private let options: [AttendOptions]

  /// Allocates the cache and fills it to one token less than the context.
  /// - Throws: `CacheError`, `OutOfMemory`.
  init(
    _ bench: BenchCase, geometryHeadWidth: Int, storage: CacheStorage, seed: UInt64,
    pool: WorkerPool, stopped: () -> Bool
  ) throws {
    let layouts = bench.layouts
    cache = try KVCache(layouts: layouts, plan: bench.cachePlan(storage))
    executor = AttendExecutor(pool: pool)
    rows = try SyntheticRows(layouts: layouts, tokens: cache.plan.maxChunk, seed: seed)
    func elements(_ width: (KVLayout) -> Int) -> Int {
      layouts.map {
        $0.shape.streams * bench.batch * $0.shape.queryHeadsPerStream * width($0)
      }.max() ?? 0
    }
    let queryCount = elements { $0.shape.keyWidth }
    queries = try AlignedBuffer(count: queryCount * MemoryLayout<Float>.stride)
    output = try AlignedBuffer(
      count: elements { $0.shape.valueWidth } * MemoryLayout<Float>.stride)
    var random = SeededGenerator(seed: seed, stream: 2)
    random.fill(queries.pointer(), count: queryCount, deviation: 1)
    options = layouts.map { layout in
      let width =
        switch layout.heads {
        case .grouped: geometryHeadWidth
        case .latent(let latent): latent.headWidth
        }
      return AttendOptions(scale: 1 / Float(width).squareRoot())
    }
    let sequences = try cache.openAll()
    plan = BatchPlan(sequences.map { ($0, bench.context - 1, 1) })
    try rows.fill(
      cache, sequences: sequences, to: bench.context - 1, pool: pool, stopped: stopped)
  }

  var workspaceBytes: Int {
    executor.workspaceBytes + queries.mappedBytes + output.mappedBytes + rows.byteCount
  }

  func step() throws -> StepTimes {
    var times = StepTimes()
    let begin = MonotonicClock.nanoseconds()
    for entry in plan.entries { try cache.extend(entry.sequence, by: 1) }
    for index in cache.layouts.indices {
      let layer = cache.layer(index)
      let start = MonotonicClock.nanoseconds()
      if layer.layout.ownsRows {
        for entry in plan.entries {
          rows.append(to: layer, sequence: entry.sequence, start: entry.start, count: 1)
        }
      }
      let appended = MonotonicClock.nanoseconds()
      try executor.attend(
        queries: queries.pointer(), plan: plan, layer: layer, options: options[index],
        out: output.pointer())
      times.append += appended - start
      times.attention += MonotonicClock.nanoseconds() - appended
    }
    times.total = MonotonicClock.nanoseconds() - begin
    try takeBack(plan)
    return times
  }
}
