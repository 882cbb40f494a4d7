/// Gates of an MLP and what else squeezes single elements, in float32, without allocation. An output
/// may be the memory of an input.
extension Elementwise {
  /// 1 / (1 + exp(−x)).
  public static func sigmoid(_ x: Float) -> Float { 1 / (1 + exponential(-x)) }

  /// e to the power of `x`, within 2 units in the last place; 0 below −87.3, infinity above 88.3.
  public static func exponential(_ x: Float) -> Float {
    Lanes(repeating: x).exponential()[0]
  }

  /// output = gelu(gate) · up with gelu(x) = x/2 · (1 + tanh(√(2/π) · (x + 0.044715·x³)))
  /// (Hendrycks and Gimpel, arXiv 1606.08415), computed as x / (1 + exp(−2·√(2/π)·(x + …))).
  /// - Parameter output: the shape of `gate` and `up`.
  public static func geGLU(gate: MatrixView, up: MatrixView, output: MutableMatrixView) {
    combine(gate: gate, up: up, output: output) { gate, up in
      let inner = 1.595_769_1 * (gate + 0.044_715 * gate * gate * gate)
      return gate / (1 + (-inner).exponential()) * up
    }
  }

  /// output = (u + 1) · g / (1 + exp(−alpha·g)) with g = min(gate, limit) and u = up within ±limit
  /// (gpt-oss).
  /// - Parameter output: the shape of `gate` and `up`.
  public static func clampedSwiGLU(
    gate: MatrixView, up: MatrixView, alpha: Float, limit: Float, output: MutableMatrixView
  ) {
    let bound = Lanes(repeating: limit)
    combine(gate: gate, up: up, output: output) { gate, up in
      let g = gate.replacing(with: bound, where: gate .> bound)
      var u = up.replacing(with: bound, where: up .> bound)
      u = u.replacing(with: -bound, where: u .< -bound)
      return (u + 1) * (g / (1 + (g * -alpha).exponential()))
    }
  }

  /// Each element x becomes cap · tanh(x / cap).
  public static func softCap(_ matrix: MutableMatrixView, _ cap: Float) {
    combine(gate: matrix.view, up: matrix.view, output: matrix) { value, _ in
      // tanh(y) = 1 − 2 / (1 + exp(2·y)).
      cap * (1 - 2 / (1 + (value * (2 / cap)).exponential()))
    }
  }

  /// output = body(gate, up), eight elements at a time; a row's last few go through the same lanes.
  @inline(__always)
  private static func combine(
    gate: MatrixView, up: MatrixView, output: MutableMatrixView, _ body: (Lanes, Lanes) -> Lanes
  ) {
    precondition(gate.rows == up.rows && gate.columns == up.columns)
    precondition(gate.rows == output.rows && gate.columns == output.columns)
    for row in 0..<gate.rows {
      let (g, u, out) = (gate.row(row), up.row(row), output.row(row))
      var index = 0
      while index + 8 <= gate.columns {
        body(Lanes(at: g + index), Lanes(at: u + index)).store(to: out + index)
        index += 8
      }
      while index < gate.columns {
        out[index] = body(Lanes(repeating: g[index]), Lanes(repeating: u[index]))[0]
        index += 1
      }
    }
  }
}
