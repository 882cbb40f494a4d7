import Foundation
import ZooRecords

/// What a model's logits say about a text: loss, and distance from the original's logits.
struct LogitScore: Sendable, Hashable {
  /// −ln p of the scored tokens, nats, one sum a segment.
  private(set) var segmentNats: [Double] = []
  /// KL(original ‖ variant) of every scored position, nats.
  private(set) var divergences: [Double] = []
  /// Positions where both find the same token most likely.
  private(set) var agreements = 0
  /// Largest absolute difference of a logit.
  private(set) var largestError = 0.0

  /// Starts a segment.
  mutating func beginSegment() { segmentNats.append(0) }

  /// Scores one position against the original's logits.
  mutating func add(
    _ logits: UnsafeBufferPointer<Float>, original: UnsafeBufferPointer<Float>, token: Int
  ) {
    let own = LogNormaliser(logits)
    let other = LogNormaliser(original)
    segmentNats[segmentNats.count - 1] -= own.logProbability(logits[token])
    var divergence = 0.0
    for index in logits.indices {
      let expected = other.logProbability(original[index])
      divergence += exp(expected) * (expected - own.logProbability(logits[index]))
      let error = Double(abs(logits[index] - original[index]))
      // A comparison with NaN would leave it out.
      if error > largestError || error.isNaN { largestError = error }
    }
    // Rounding may leave a sum of nothing slightly below zero.
    divergences.append(divergence < 0 ? 0 : divergence)
    if own.best == other.best { agreements += 1 }
  }

  /// Whether every logit was a number: NaN and infinity spread to the loss or the divergence.
  var isFinite: Bool { nats.isFinite && meanDivergence.isFinite && largestError.isFinite }

  /// Loss of all scored tokens, nats.
  var nats: Double { segmentNats.reduce(0, +) }

  /// Mean loss a token, nats.
  var natsPerToken: Double { nats / Double(divergences.count) }

  /// Share of the positions where both find the same token most likely.
  var agreement: Double { Double(agreements) / Double(divergences.count) }

  var meanDivergence: Double { divergences.reduce(0, +) / Double(divergences.count) }

  var p99Divergence: Double { Quantile.value(0.99, ofSorted: divergences.sorted()) }
}

/// ln Σ exp of one row of logits.
struct LogNormaliser {
  /// Index of the largest logit, the first of equals.
  let best: Int
  private let logSum: Double

  init(_ logits: UnsafeBufferPointer<Float>) {
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    let peak = Double(logits[best])
    var sum = 0.0
    for logit in logits { sum += exp(Double(logit) - peak) }
    self.best = best
    logSum = peak + log(sum)
  }

  func logProbability(_ logit: Float) -> Double { Double(logit) - logSum }
}
