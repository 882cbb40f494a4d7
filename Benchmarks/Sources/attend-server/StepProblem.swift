import AttentionCore
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// Decode steps of a whole model of random weights at a depth.
final class StepProblem: Problem {
  private let cache: KVCache
  private let runner: DecoderRunner
  private let pool: WorkerPool
  private let sequence: Int

  init(_ request: Request, pool: WorkerPool) throws {
    self.pool = pool
    let geometry = try ModelPresets.geometry(named: try request.model.orThrow("model"))
    let variant = try AxisRegistry.standard.variant(request.variant ?? geometry.native)
    guard let format = WeightFormat(rawValue: request.weights ?? "f16") else {
      throw ServerError(text: "no such weight format: \(request.weights ?? "")")
    }
    let model = try DecoderModel(
      randomWeights: geometry, variant: variant, format: format, seed: 1, pool: pool)
    cache = try KVCache(
      layouts: model.layouts,
      plan: CachePlan(
        storage: .ring, sequences: 1, capacity: try request.tokens.orThrow("tokens"), maxChunk: 64))
    runner = try DecoderRunner(model: model, pool: pool)
    sequence = try cache.addSequence()
  }

  /// Bytes of cache that a step at the present depth reads.
  var bytes: Int {
    let length = (try? cache.length(of: sequence)) ?? 0
    return cache.layouts.reduce(0) { $0 + $1.readBytes(context: length + 1) }
  }
  var flops: Int {
    let length = (try? cache.length(of: sequence)) ?? 0
    return cache.layouts.reduce(0) { $0 + $1.attendFLOPs(context: length + 1) }
  }

  /// Random rows up to `tokens` tokens, through the same append path that decoding uses.
  func fill(to tokens: Int) throws {
    let width =
      cache.layouts.map { $0.shape.streams * max($0.shape.keyWidth, $0.shape.valueWidth) }.max()
      ?? 0
    var random = SeededGenerator(seed: 5)
    var rows = [Float](repeating: 0, count: 64 * width)
    random.fill(&rows, count: rows.count, deviation: 1)
    let values = rows
    let owners = cache.layouts.filter(\.ownsRows)
    var start = try cache.length(of: sequence)
    while start < tokens {
      let count = try cache.nextChunk(of: sequence, atMost: min(64, tokens - start))
      try cache.extend(sequence, by: count)
      let first = start
      pool.forEach(owners.count) { index, _ in
        let shape = owners[index].shape
        self.cache.layer(owners[index].layer).append(
          sequence: self.sequence, start: first, count: count, keys: values,
          keyStride: shape.streams * shape.keyWidth,
          values: shape.valueIsKeyPrefix ? nil : values,
          valueStride: shape.streams * shape.valueWidth)
      }
      start += count
    }
  }

  /// One step at the present depth; its token is taken back.
  func run() throws -> Int64 {
    let length = try cache.length(of: sequence)
    let plan = BatchPlan([(sequence, length, 1)])
    let begin = MonotonicClock.nanoseconds()
    try runner.forward(tokens: [1], plan: plan, cache: cache)
    let time = MonotonicClock.nanoseconds() - begin
    try cache.truncate(sequence, to: length)
    return time
  }

  func output() -> Data { Data() }
}
