import AttentionCore
import ZooLinearAlgebra
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How the next token is chosen.
public struct Sampling: Sendable, Hashable {
  /// 0: greedy; else logits are divided by it before the softmax.
  public var temperature: Float
  /// Only the k most likely tokens are drawn from; 0: all.
  public var topK: Int
  /// Only the smallest set of tokens whose probabilities reach p is drawn from; 1: all.
  public var topP: Float
  public var seed: UInt64

  public init(temperature: Float = 0, topK: Int = 0, topP: Float = 1, seed: UInt64 = 0) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.seed = seed
  }

  /// The most likely token every time.
  public static let greedy = Sampling()
}

/// Continues a prompt token by token. The same seed, model and threads give the same tokens.
public final class Generator {
  private let runner: DecoderRunner
  private let cache: KVCache
  private let sequence: Int
  private var sampling: Sampling
  private var random: SeededGenerator

  /// - Parameter capacity: tokens of prompt and continuation together.
  public init(
    runner: DecoderRunner, capacity: Int, sampling: Sampling = .greedy,
    storage: CacheStorage = .ring
  ) throws {
    self.runner = runner
    cache = try KVCache(
      layouts: runner.model.layouts,
      plan: CachePlan(storage: storage, sequences: 1, capacity: capacity))
    sequence = try cache.addSequence()
    self.sampling = sampling
    random = SeededGenerator(seed: sampling.seed)
  }

  /// Reads the prompt in chunks and then yields up to `count` tokens; `body` returns false to stop.
  /// - Precondition: the prompt is not empty.
  public func generate(
    prompt: [Int32], count: Int, body: (Int32) throws -> Bool
  ) throws {
    precondition(!prompt.isEmpty, "a prompt has at least one token")
    var logits = try runner.prefill(prompt, sequence: sequence, cache: cache)
    for index in 0..<count {
      let token = choose(logits)
      guard try body(token), index + 1 < count else { return }
      let length = try cache.length(of: sequence)
      logits = try runner.forward(
        tokens: [token], plan: BatchPlan([(sequence, length, 1)]), cache: cache)
    }
  }

  private func choose(_ logits: MatrixView) -> Int32 {
    let row = UnsafeBufferPointer(start: logits.row(0), count: logits.columns)
    guard sampling.temperature > 0 else {
      var best = 0
      for index in row.indices where row[index] > row[best] { best = index }
      return Int32(best)
    }
    let order = row.indices.sorted { row[$0] > row[$1] || (row[$0] == row[$1] && $0 < $1) }
    let kept = sampling.topK > 0 ? Array(order.prefix(sampling.topK)) : order
    let peak = row[kept[0]]
    var weights = kept.map { exp((row[$0] - peak) / sampling.temperature) }
    let total = weights.reduce(0, +)
    if sampling.topP < 1 {
      var reached: Float = 0
      let cut = weights.firstIndex {
        reached += $0 / total
        return reached >= sampling.topP
      }
      if let cut { weights.removeLast(weights.count - 1 - cut) }
    }
    var draw = random.nextUnit() * weights.reduce(0, +)
    for (index, weight) in weights.enumerated() {
      draw -= weight
      if draw < 0 { return Int32(kept[index]) }
    }
    return Int32(kept[weights.count - 1])
  }
}

extension DecoderRunner {
  /// Appends the tokens of a prompt in chunks of the cache's size.
  /// - Returns: logits of the last token.
  public func prefill(_ prompt: [Int32], sequence: Int, cache: KVCache) throws -> MatrixView {
    var done = 0
    while true {
      let start = try cache.length(of: sequence)
      let count = min(cache.plan.maxChunk, prompt.count - done)
      let last = done + count == prompt.count
      let result = try forward(
        tokens: Array(prompt[done..<done + count]), plan: BatchPlan([(sequence, start, count)]),
        cache: cache, logits: last ? .lastOfEach : .none)
      if last { return result }
      done += count
    }
  }
}
