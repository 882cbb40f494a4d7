import AttentionCore
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// The whole decoder: one token of every sequence, logits included.
final class StepCase: DecodeCase {
  let cache: KVCache
  let runner: DecoderRunner
  private let plan: BatchPlan
  private let tokens: AlignedBuffer

  /// Allocates the cache and fills it with synthetic rows to one token less than the context.
  /// - Throws: `CacheError`, `OutOfMemory`.
  init(
    _ bench: BenchCase, model: DecoderModel, storage: CacheStorage, seed: UInt64,
    pool: WorkerPool, stopped: () -> Bool
  ) throws {
    cache = try KVCache(layouts: model.layouts, plan: bench.cachePlan(storage))
    runner = try DecoderRunner(model: model, pool: pool)
    tokens = try AlignedBuffer(count: bench.batch * MemoryLayout<Int32>.stride)
    var random = SeededGenerator(seed: seed, stream: 3)
    for index in 0..<bench.batch {
      tokens.pointer(to: Int32.self)[index] =
        Int32.random(in: 0..<Int32(model.geometry.vocabulary), using: &random)
    }
    let sequences = try cache.openAll()
    plan = BatchPlan(sequences.map { ($0, bench.context - 1, 1) })
    let rows = try SyntheticRows(
      layouts: model.layouts, tokens: cache.plan.maxChunk, seed: seed)
    try rows.fill(
      cache, sequences: sequences, to: bench.context - 1, pool: pool, stopped: stopped)
  }

  var workspaceBytes: Int { runner.workspaceBytes }

  func step() throws -> StepTimes {
    runner.resetPhases()
    let begin = MonotonicClock.nanoseconds()
    try runner.forward(
      tokens: UnsafeBufferPointer(
        start: UnsafePointer(tokens.pointer(to: Int32.self)), count: plan.tokens),
      plan: plan, cache: cache, logits: .lastOfEach)
    let end = MonotonicClock.nanoseconds()
    try takeBack(plan)
    let phases = runner.phases
    return StepTimes(
      total: end - begin, attention: phases.attention, append: phases.append,
      absorb: phases.absorb)
  }
}

extension LinearWork {
  /// What a step of `model` reads and computes in its linear layers: of an untied embedding only a
  /// row a token is read.
  init(_ model: DecoderModel) {
    let untied = model.head.weight !== model.embedding
    self.init(
      bytes: model.weightBytes - (untied ? model.embedding.byteCount : 0),
      flopsPerToken: Double(model.linearFLOPsPerToken))
  }
}
