import AttentionCore
import ZooLinearAlgebra
import ZooMemory

/// Continues a prompt token by token. The same seed, model and threads give the same tokens.
public final class Generator {
  private let runner: DecoderRunner
  private let cache: KVCache
  private let sequence: Int
  private var sampler: TokenSampler

  /// - Parameters:
  ///   - capacity: tokens of prompt and continuation together.
  ///   - maxChunk: most tokens of the prompt read at once.
  public init(
    runner: DecoderRunner, capacity: Int, sampling: Sampling = .greedy,
    storage: CacheStorage = .ring, maxChunk: Int = 64
  ) throws {
    self.runner = runner
    cache = try KVCache(
      layouts: runner.model.layouts,
      plan: CachePlan(storage: storage, sequences: 1, capacity: capacity, maxChunk: maxChunk))
    sequence = try cache.addSequence()
    sampler = TokenSampler(sampling)
  }

  /// Reads the prompt in chunks and then yields up to `count` tokens; `body` returns false to stop.
  /// - Precondition: the prompt is not empty.
  public func generate(
    prompt: [Int32], count: Int, body: (Int32) throws -> Bool
  ) throws {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    var logits = try runner.prefill(prompt, sequence: sequence, cache: cache)
    var plan = BatchPlan([(sequence, try cache.length(of: sequence), 1)])
    for index in 0..<count {
      var token = sampler.choose(
        UnsafeBufferPointer(start: logits.row(0), count: logits.columns))
      guard try body(token), index + 1 < count else { return }
      logits = try withUnsafePointer(to: &token) {
        try runner.forward(
          tokens: UnsafeBufferPointer(start: $0, count: 1), plan: plan, cache: cache)
      }
      plan.advance()
    }
  }
}

extension DecoderRunner {
  /// Appends the tokens of a prompt in chunks of the cache's size.
  /// - Returns: logits of the last token.
  /// - Precondition: the prompt is not empty.
  public func prefill(_ prompt: [Int32], sequence: Int, cache: KVCache) throws -> MatrixView {
    try prompt.withUnsafeBufferPointer { prompt in
      var done = 0
      while true {
        let start = try cache.length(of: sequence)
        let count = try cache.nextChunk(
          of: sequence, atMost: min(cache.plan.maxChunk, prompt.count - done))
        let last = done + count == prompt.count
        let result = try forward(
          tokens: UnsafeBufferPointer(rebasing: prompt[done..<done + count]),
          plan: BatchPlan([(sequence, start, count)]), cache: cache,
          logits: last ? .lastOfEach : .none)
        if last { return result }
        done += count
      }
    }
  }
}
