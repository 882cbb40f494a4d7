/// Quantiles of samples.
public enum Quantile {
  /// The q-quantile of ascending values, linear between the two nearest.
  public static func value(_ q: Double, ofSorted sorted: [Double]) -> Double {
    precondition(!sorted.isEmpty, "a quantile needs a value")
    let place = q * Double(sorted.count - 1)
    let below = min(Int(place), sorted.count - 1)
    let above = min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
  }

  /// The median of values in any order.
  public static func median(_ values: [Double]) -> Double {
    value(0.5, ofSorted: values.sorted())
  }
}
