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

/// Draws tokens from logits. Its lists keep their storage from token to token.
struct TokenSampler {
  private struct Candidate {
    var token: Int
    var logit: Float
    /// exp((logit − largest logit) / temperature).
    var weight: Float

    /// Whether this one is more likely than another; of equals the first of the vocabulary.
    func precedes(_ other: Candidate) -> Bool {
      logit > other.logit || (logit == other.logit && token < other.token)
    }
  }

  private let sampling: Sampling
  private var random: SeededGenerator
  private var candidates: [Candidate] = []

  init(_ sampling: Sampling) {
    self.sampling = sampling
    random = SeededGenerator(seed: sampling.seed)
  }

  /// Chooses from the logits of the whole vocabulary.
  mutating func choose(_ logits: UnsafeBufferPointer<Float>) -> Int32 {
    var best = 0
    for token in logits.indices where logits[token] > logits[best] { best = token }
    guard sampling.temperature > 0 else { return Int32(best) }
    collect(logits, peak: logits[best])
    if sampling.topP < 1 { cut() }
    var draw = random.nextUnit() * candidates.reduce(0) { $0 + $1.weight }
    for candidate in candidates {
      draw -= candidate.weight
      if draw < 0 { return Int32(candidate.token) }
    }
    return Int32(candidates.last?.token ?? best)
  }

  /// The tokens to draw from, before top-p: all in the vocabulary's order, or the k most likely,
  /// most likely first.
  private mutating func collect(_ logits: UnsafeBufferPointer<Float>, peak: Float) {
    candidates.removeAll(keepingCapacity: true)
    let most = sampling.topK > 0 ? min(sampling.topK, logits.count) : logits.count
    for token in logits.indices {
      let candidate = Candidate(
        token: token, logit: logits[token],
        weight: exp((logits[token] - peak) / sampling.temperature))
      guard most < logits.count else {
        candidates.append(candidate)
        continue
      }
      if candidates.count == most {
        guard let last = candidates.last, candidate.precedes(last) else { continue }
        candidates.removeLast()
      }
      candidates.insert(candidate, at: place(of: candidate))
    }
  }

  /// Where a candidate belongs among those that are there, by bisection.
  private func place(of candidate: Candidate) -> Int {
    var range = 0..<candidates.count
    while !range.isEmpty {
      let middle = (range.lowerBound + range.upperBound) / 2
      range =
        candidate.precedes(candidates[middle])
        ? range.lowerBound..<middle : middle + 1..<range.upperBound
    }
    return range.lowerBound
  }

  /// Keeps the smallest set whose probabilities reach p.
  private mutating func cut() {
    let total = candidates.reduce(0) { $0 + $1.weight }
    // Tokens below this weight cannot reach 1 − p all together: they need not be sorted.
    let least = (1 - sampling.topP) * total / Float(2 * candidates.count)
    candidates.removeAll { $0.weight < least }
    candidates.sort { $0.precedes($1) }
    var reached: Float = 0
    let last = candidates.firstIndex {
      reached += $0.weight
      return reached >= sampling.topP * total
    }
    if let last { candidates.removeLast(candidates.count - 1 - last) }
  }
}
