import ZooRecords

/// Summaries of raw samples by the rule of result rows: a percentile q is absent below 10 ÷ (1 − q)
/// samples (20 for the median, 100 for p90, 1,000 for p99); mean and largest are always there.
public enum LatencySummary {
  /// The summary of samples in milliseconds; nil without samples.
  public static func latency(_ samples: [Double]) -> ResultRow.Latency? {
    guard !samples.isEmpty else { return nil }
    let sorted = samples.sorted()
    func percentile(_ q: Double, from fewest: Int) -> Double? {
      samples.count >= fewest ? quantile(q, sorted: sorted) : nil
    }
    return ResultRow.Latency(
      mean: samples.reduce(0, +) / Double(samples.count), p50: percentile(0.5, from: 20),
      p90: percentile(0.9, from: 100), p99: percentile(0.99, from: 1_000), max: sorted.last)
  }

  /// The q-quantile of ascending values, linear between the two nearest.
  public static func quantile(_ q: Double, sorted: [Double]) -> Double {
    precondition(!sorted.isEmpty, "a quantile needs a value")
    let place = q * Double(sorted.count - 1)
    let below = min(Int(place), sorted.count - 1)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
  }

  /// The median of values in any order.
  public static func median(_ values: [Double]) -> Double {
    quantile(0.5, sorted: values.sorted())
  }
}
