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
    guard differences.count >= 2 else { return nil }
    var random = SeededGenerator(seed: seed)
    var means: [Double] = []
    means.reserveCapacity(resamples)
    for _ in 0..<resamples {
      var sum = 0.0
      for _ in differences.indices {
        sum += differences[Int.random(in: differences.indices, using: &random)]
      }
      means.append(sum / Double(differences.count))
    }
    means.sort()
    return (
      Quantile.value(0.025, ofSorted: means), Quantile.value(0.975, ofSorted: means)
    )
  }
}
