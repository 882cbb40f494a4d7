import AttentionCore
import ZooMemory
import ZooModels

/// The time to first token of a model: a prompt of random tokens, given to an empty cache.
final class FirstToken {
  /// Tokens of one forward call; a longer prompt takes several.
  static let chunk = 512

  private let cache: KVCache
  private let runner: DecoderRunner
  private let sequence: Int
  private let prompt: [Int32]

  /// A prompt of `count` tokens for `model`.
  /// - Throws: `CacheError`, `OutOfMemory`.
  init(
    model: DecoderModel, tokens count: Int, storage: CacheStorage, seed: UInt64, pool: WorkerPool
  ) throws {
    cache = try KVCache(
      layouts: model.layouts,
      plan: CachePlan(
        storage: storage, sequences: 1, capacity: count, maxChunk: min(count, Self.chunk)))
    runner = try DecoderRunner(model: model, pool: pool)
    sequence = try cache.addSequence()
    var random = SeededGenerator(seed: seed, stream: 4)
    prompt = (0..<count).map { _ in
      Int32.random(in: 0..<Int32(model.geometry.vocabulary), using: &random)
    }
  }

  /// Bytes of cache and scratch held.
  var bytes: Int { cache.allocatedBytes + runner.workspaceBytes }

  /// Nanoseconds from the prompt to the logits of its last token; nil when stopped before. The same
  /// prompt runs once untimed before, so that nothing is touched or allocated for the first time.
  func measure(stopped: () -> Bool) throws -> Int64? {
    guard try prefill(stopped) != nil else { return nil }
    return try prefill(stopped)
  }

  private func prefill(_ stopped: () -> Bool) throws -> Int64? {
    try cache.truncate(sequence, to: 0)
    let begin = MonotonicClock.nanoseconds()
    var first = 0
    while first < prompt.count {
      if stopped() { return nil }
      let count = try cache.nextChunk(
        of: sequence, atMost: min(Self.chunk, prompt.count - first))
      try runner.forward(
        tokens: Array(prompt[first..<first + count]), plan: BatchPlan([(sequence, first, count)]),
        cache: cache, logits: first + count == prompt.count ? .lastOfEach : .none)
      first += count
    }
    return MonotonicClock.nanoseconds() - begin
  }
}
