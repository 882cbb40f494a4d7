import Testing
import ZooLinearAlgebra

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct ElementwiseTests {
  static let widths = [1, 3, 7, 8, 9, 16, 31, 100, 513, 2048]

  /// A matrix of `values`, row by row.
  static func matrix(_ rows: Int, _ columns: Int, _ values: [Float]) throws -> Matrix {
    let matrix = try Matrix(rows: rows, columns: columns)
    for index in 0..<(rows * columns) { matrix.pointer[index] = values[index] }
    return matrix
  }

  static func row(_ matrix: Matrix, _ row: Int) -> [Float] {
    (0..<matrix.columns).map { matrix[row, $0] }
  }

  @Test("RMSNorm scales each row to a root mean square of 1", arguments: widths)
  func rmsNorm(width: Int) throws {
    let values = randomValues(3 * width, seed: 51, deviation: 4)
    let weight = randomValues(width, seed: 52)
    let input = try Self.matrix(3, width, values)
    let output = try Matrix(rows: 3, columns: width)
    Elementwise.rmsNorm(
      input: input.view, weight: weight, epsilon: 1e-5, output: output.mutableView)
    for row in 0..<3 {
      let elements = values[(row * width)..<((row + 1) * width)].map(Double.init)
      let mean = elements.reduce(0) { $0 + $1 * $1 } / Double(width)
      for column in 0..<width {
        let expected = elements[column] / (mean + 1e-5).squareRoot() * Double(weight[column])
        #expect(abs(Double(output[row, column]) - expected) <= 1e-5 * abs(expected) + 1e-7)
      }
    }
    // In place.
    Elementwise.rmsNorm(
      input: input.view, weight: weight, epsilon: 1e-5, output: input.mutableView)
    for row in 0..<3 { #expect(Self.row(input, row) == Self.row(output, row)) }
  }

  @Test("SwiGLU is up · gate / (1 + exp(−gate))", arguments: widths)
  func swiGLU(width: Int) throws {
    let (gates, ups) = (
      randomValues(2 * width, seed: 53, deviation: 6), randomValues(2 * width, seed: 54)
    )
    let (gate, up) = (try Self.matrix(2, width, gates), try Self.matrix(2, width, ups))
    Elementwise.swiGLU(gate: gate.view, up: up.view, output: gate.mutableView)
    for index in 0..<(2 * width) {
      let x = Double(gates[index])
      let expected = x / (1 + exp(-x)) * Double(ups[index])
      #expect(abs(Double(gate.pointer[index]) - expected) <= 2e-6 * abs(expected) + 1e-12)
    }
  }

  @Test("SwiGLU's limits: 0 far below, identity far above, NaN kept")
  func swiGLULimits() throws {
    let gate = try Self.matrix(1, 10, [-200, -90, 0, 90, 200, 1e30, -1e30, .nan, 200, -200])
    let up = try Self.matrix(1, 10, [Float](repeating: 1, count: 10))
    Elementwise.swiGLU(gate: gate.view, up: up.view, output: gate.mutableView)
    let result = Self.row(gate, 0)
    for index in [0, 1, 2, 6, 9] { #expect(abs(result[index]) < 1e-36) }
    #expect(Array(result[3...5]) == [90, 200, 1e30])
    #expect(result[7].isNaN)
    #expect(result[8] == 200)
  }

  @Test("add sums in place, over strided rows")
  func add() throws {
    let target = try Self.matrix(4, 13, randomValues(52, seed: 55))
    let before = (0..<4).map { Self.row(target, $0) }
    let addend = try Self.matrix(4, 11, randomValues(44, seed: 56))
    Elementwise.add(addend.view, to: target.mutableView.columns(1..<12))
    for row in 0..<4 {
      #expect(target[row, 0] == before[row][0] && target[row, 12] == before[row][12])
      for column in 0..<11 {
        #expect(target[row, column + 1] == before[row][column + 1] + addend[row, column])
      }
    }
  }

  @Test("softmax and log-softmax equal float64, whatever is added to a row", arguments: widths)
  func softmax(width: Int) throws {
    for shift: Float in [0, 500, -500] {
      let values = randomValues(2 * width, seed: 57, deviation: 5).map { $0 + shift }
      let (plain, logarithm) = (
        try Self.matrix(2, width, values), try Self.matrix(2, width, values)
      )
      Elementwise.softmax(plain.mutableView)
      Elementwise.logSoftmax(logarithm.mutableView)
      for row in 0..<2 {
        let elements = values[(row * width)..<((row + 1) * width)].map(Double.init)
        let peak = elements.max() ?? 0
        let sum = elements.reduce(0) { $0 + exp($1 - peak) }
        for column in 0..<width {
          let expected = elements[column] - peak - log(sum)
          #expect(abs(Double(logarithm[row, column]) - expected) < 3e-6 * max(1, abs(expected)))
          #expect(
            abs(Double(plain[row, column]) - exp(expected)) < 3e-6 * exp(expected) + 1e-37)
        }
      }
    }
  }

  @Test("softmax: masked entries are 0, a masked row is zeros, NaN spreads over its row only")
  func softmaxLimits() throws {
    let infinity = Float.infinity
    let matrix = try Self.matrix(
      3, 9,
      [0, -infinity, 0, 0, 0, -infinity, -infinity, -infinity, -infinity]
        + [Float](repeating: -infinity, count: 9) + [1, 2, 3, .nan, 5, 6, 7, 8, 9])
    Elementwise.softmax(matrix.mutableView)
    #expect(Self.row(matrix, 0) == [0.25, 0, 0.25, 0.25, 0.25, 0, 0, 0, 0])
    #expect(Self.row(matrix, 1) == [Float](repeating: 0, count: 9))
    #expect(Self.row(matrix, 2).allSatisfy { $0.isNaN })
  }
}
