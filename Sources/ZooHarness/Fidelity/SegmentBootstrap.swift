import ZooMemory
import ZooRecords

/// Percentile bootstrap of a mean over segments (Efron and Tibshirani, *An Introduction to the
/// Bootstrap*, chapter 13), with a fixed seed.
public enum SegmentBootstrap {
  /// Resamples drawn.
  public static let resamples = 2_000

  /// The 95 % interval of the mean of `differences`, one a segment; nil for fewer than two.
  public static func interval(
    ofMean differences: [Double], seed: UInt64 = 0x5A6F_6F21
  ) -> (low: Double, high: Double)? {
    interval(ofRatio: differences, to: differences.map { _ in 1 }, seed: seed)
  }

  /// The 95 % interval of Σ `numerators` ÷ Σ `denominators`, one of each a segment, such as bits and
  /// bytes; nil for fewer than two.
  public static func interval(
    ofRatio numerators: [Double], to denominators: [Double], seed: UInt64 = 0x5A6F_6F21
  ) -> (low: Double, high: Double)? {
    precondition(numerators.count == denominators.count, "one denominator a numerator")
    guard numerators.count >= 2 else { return nil }
    var random = SeededGenerator(seed: seed)
    var ratios: [Double] = []
    ratios.reserveCapacity(resamples)
    for _ in 0..<resamples {
      var above = 0.0
      var below = 0.0
      for _ in numerators.indices {
        let index = Int.random(in: numerators.indices, using: &random)
        above += numerators[index]
        below += denominators[index]
      }
      ratios.append(above / below)
    }
    ratios.sort()
    return (
      Quantile.value(0.025, ofSorted: ratios), Quantile.value(0.975, ofSorted: ratios)
    )
  }
}
