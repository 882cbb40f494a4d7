#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Row and element operations of a decoder, in float32, without allocation. An output may be the
/// memory of an input.
public enum Elementwise {
  /// output[r] = input[r] / √(mean(input[r]²) + epsilon) · weight (Zhang and Sennrich, 2019).
  /// - Parameters:
  ///   - weight: `input.columns` elements.
  ///   - output: the shape of `input`.
  public static func rmsNorm(
    input: MatrixView, weight: UnsafePointer<Float>, epsilon: Float, output: MutableMatrixView
  ) {
    precondition(input.rows == output.rows && input.columns == output.columns)
    for row in 0..<input.rows {
      rmsNorm(
        input.row(row), weight: weight, epsilon: epsilon, output: output.row(row),
        count: input.columns)
    }
  }

  /// `rmsNorm` of one row of `count` elements.
  public static func rmsNorm(
    _ input: UnsafePointer<Float>, weight: UnsafePointer<Float>, epsilon: Float,
    output: UnsafeMutablePointer<Float>, count: Int
  ) {
    if count == 0 { return }
    let mean = sumOfSquares(input, count: count) / Float(count)
    let scale = 1 / (mean + epsilon).squareRoot()
    var index = 0
    while index + 8 <= count {
      (Lanes(at: input + index) * scale * Lanes(at: weight + index)).store(to: output + index)
      index += 8
    }
    while index < count {
      output[index] = input[index] * scale * weight[index]
      index += 1
    }
  }

  /// output = silu(gate) · up with silu(x) = x / (1 + exp(−x)) (Shazeer, 2020).
  /// - Parameter output: the shape of `gate` and `up`.
  public static func swiGLU(gate: MatrixView, up: MatrixView, output: MutableMatrixView) {
    precondition(gate.rows == up.rows && gate.columns == up.columns)
    precondition(gate.rows == output.rows && gate.columns == output.columns)
    for row in 0..<gate.rows {
      swiGLU(gate: gate.row(row), up: up.row(row), output: output.row(row), count: gate.columns)
    }
  }

  /// `swiGLU` of `count` elements.
  public static func swiGLU(
    gate: UnsafePointer<Float>, up: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>,
    count: Int
  ) {
    var index = 0
    while index + 8 <= count {
      let x = Lanes(at: gate + index)
      (x / (1 + (-x).exponential()) * Lanes(at: up + index)).store(to: output + index)
      index += 8
    }
    while index < count {
      output[index] = gate[index] / (1 + exponential(-gate[index])) * up[index]
      index += 1
    }
  }

  /// target += addend.
  public static func add(_ addend: MatrixView, to target: MutableMatrixView) {
    precondition(addend.rows == target.rows && addend.columns == target.columns)
    for row in 0..<addend.rows {
      let (from, to) = (addend.row(row), target.row(row))
      var index = 0
      while index + 8 <= addend.columns {
        (Lanes(at: to + index) + Lanes(at: from + index)).store(to: to + index)
        index += 8
      }
      while index < addend.columns {
        to[index] += from[index]
        index += 1
      }
    }
  }

  /// Each row becomes exp(x − max) / Σ exp(x − max). −infinity becomes 0; a row of nothing else is
  /// zeros. NaN anywhere in a row makes its whole row NaN.
  public static func softmax(_ matrix: MutableMatrixView) {
    for row in 0..<matrix.rows {
      let values = matrix.row(row)
      let peak = maximum(values, count: matrix.columns)
      let sum = exponentials(values, minus: peak, count: matrix.columns, to: values)
      let scale = sum == 0 ? 0 : Float(1 / sum)
      for column in 0..<matrix.columns { values[column] *= scale }
    }
  }

  /// Each row becomes x − max − log Σ exp(x − max), natural logarithm, the sum in float64. NaN
  /// anywhere in a row makes its whole row NaN.
  public static func logSoftmax(_ matrix: MutableMatrixView) {
    for row in 0..<matrix.rows {
      let values = matrix.row(row)
      let peak = maximum(values, count: matrix.columns)
      let sum = exponentials(values, minus: peak, count: matrix.columns, to: nil)
      let shift = Double(peak) + log(sum)
      for column in 0..<matrix.columns { values[column] = Float(Double(values[column]) - shift) }
    }
  }

  // MARK: - Sums over a row

  private static func sumOfSquares(_ values: UnsafePointer<Float>, count: Int) -> Float {
    var (first, second) = (Lanes.zero, Lanes.zero)
    var index = 0
    while index + 16 <= count {
      let (a, b) = (Lanes(at: values + index), Lanes(at: values + index + 8))
      first += a * a
      second += b * b
      index += 16
    }
    var total = (first + second).sum()
    while index < count {
      total += values[index] * values[index]
      index += 1
    }
    return total
  }

  /// The greatest value, NaN left out; 0 where there is none above −infinity, so that differences
  /// from it stay defined.
  private static func maximum(_ values: UnsafePointer<Float>, count: Int) -> Float {
    var lanes = Lanes(repeating: -.infinity)
    var index = 0
    while index + 8 <= count {
      let next = Lanes(at: values + index)
      lanes.replace(with: next, where: next .> lanes)
      index += 8
    }
    var result = lanes.max()
    while index < count {
      if values[index] > result { result = values[index] }
      index += 1
    }
    return result == -.infinity ? 0 : result
  }

  /// Σ exp(value − `peak`) in float64, in a fixed order; the terms are stored where `target` is
  /// given.
  private static func exponentials(
    _ values: UnsafePointer<Float>, minus peak: Float, count: Int,
    to target: UnsafeMutablePointer<Float>?
  ) -> Double {
    var total = 0.0
    var index = 0
    while index + 8 <= count {
      let block = min(count - index, 512) & ~7
      var partial = Lanes.zero
      for offset in stride(from: index, to: index + block, by: 8) {
        let term = (Lanes(at: values + offset) - peak).exponential()
        if let target { term.store(to: target + offset) }
        partial += term
      }
      total += Double(partial.sum())
      index += block
    }
    while index < count {
      let term = exponential(values[index] - peak)
      if let target { target[index] = term }
      total += Double(term)
      index += 1
    }
    return total
  }
}
