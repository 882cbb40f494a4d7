import Testing
import ZooLinearAlgebra
import ZooMemory

/// Every shape here is deliberately odd: blocks, lanes and workers never divide it.
@Suite struct LinearTests {
  static let rowCounts = [1, 2, 3, 4, 5, 7, 8, 13, 16, 31, 32, 33, 47, 64, 70]

  /// Result rows of one product, with strides wider than the rows and the gaps checked.
  static func product(
    _ linear: Linear, input: [Float], rows: Int, pool: WorkerPool, inputPad: Int = 3,
    outputPad: Int = 5
  ) throws -> [Float] {
    let inputStride = linear.inputs + inputPad
    let outputStride = linear.outputs + outputPad
    let scratch = try LinearScratch(maximumInputs: linear.inputs, threads: pool.threads)
    var output = [Float](repeating: 77, count: rows * outputStride)
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        guard let input = input.baseAddress, let output = output.baseAddress else { return }
        linear.apply(
          input: MatrixView(input, rows: rows, columns: linear.inputs, stride: inputStride),
          output: MutableMatrixView(
            output, rows: rows, columns: linear.outputs, stride: outputStride),
          pool: pool, scratch: scratch)
      }
    }
    for row in 0..<rows {
      for gap in linear.outputs..<outputStride {
        #expect(output[row * outputStride + gap] == 77, "the gap after row \(row) was written")
      }
    }
    return output
  }

  @Test("A product equals its float64 reference", arguments: WeightFormat.allCases, [1, 2])
  func reference(format: WeightFormat, threads: Int) throws {
    let pool = WorkerPool(threads: threads)
    for (outputs, inputs) in [(1, 1), (3, 5), (37, 129), (301, 72), (530, 1031)] {
      let weight = try WeightMatrix(
        outputs: outputs, inputs: inputs, format: format, seed: 1, deviation: 1, pool: pool)
      let weights = (0..<outputs).map { weight.values(ofRow: $0) }
      let bias = randomValues(outputs, seed: 2)
      let tolerance = accumulationTolerance(terms: inputs)
      for rows in outputs > 500 ? [1, 32, 33] : Self.rowCounts {
        let stride = inputs + 3
        let input = randomValues(rows * stride, seed: 3)
        for bias in [nil, bias] {
          let output = try Self.product(
            Linear(weight: weight, bias: bias), input: input, rows: rows, pool: pool)
          var wrong = 0
          input.withUnsafeBufferPointer { input in
            guard let input = input.baseAddress else { return }
            for row in 0..<rows {
              for out in 0..<outputs {
                let (value, magnitude) = ZooLinearAlgebraTests.reference(
                  weights[out], input + row * stride, bias: bias?[out] ?? 0)
                let got = Double(output[row * (outputs + 5) + out])
                if !(abs(got - value) <= tolerance * magnitude) { wrong += 1 }
              }
            }
          }
          #expect(wrong == 0, "\(outputs) × \(inputs), \(rows) rows, bias \(bias != nil)")
        }
      }
    }
  }

  @Test("The number of threads changes no bit", arguments: WeightFormat.allCases)
  func threadsChangeNothing(format: WeightFormat) throws {
    let pools = [1, 2, 3].map { WorkerPool(threads: $0) }
    let weight = try WeightMatrix(
      outputs: 1203, inputs: 517, format: format, seed: 4, deviation: 1)
    let linear = Linear(weight: weight, bias: randomValues(1203, seed: 5))
    for rows in Self.rowCounts {
      let input = randomValues(rows * 520, seed: 6)
      let results = try pools.map {
        try Self.product(linear, input: input, rows: rows, pool: $0).map(\.bitPattern)
      }
      #expect(results.allSatisfy { $0 == results[0] }, "\(rows) rows")
    }
  }

  @Test("A row's result does not depend on the rows beside it")
  func rowsAreIndependent() throws {
    let pool = WorkerPool(threads: 2)
    let linear = Linear(
      weight: try WeightMatrix(
        outputs: 64, inputs: 96, format: .bfloat16, seed: 7, deviation: 1))
    var input = randomValues(8 * 99, seed: 8)
    let clean = try Self.product(linear, input: input, rows: 8, pool: pool)
    for column in 0..<96 { input[3 * 99 + column] = .nan }
    let poisoned = try Self.product(linear, input: input, rows: 8, pool: pool)
    for row in 0..<8 {
      for out in 0..<64 {
        let index = row * 69 + out
        #expect(row == 3 ? poisoned[index].isNaN : poisoned[index] == clean[index])
      }
    }
  }

  @Test("No rows: nothing is written")
  func noRows() throws {
    let linear = Linear(
      weight: try WeightMatrix(outputs: 4, inputs: 4, format: .float32, seed: 1, deviation: 1))
    let scratch = try LinearScratch(maximumInputs: 4, threads: 1)
    let (input, output) = (try Matrix(rows: 1, columns: 4), try Matrix(rows: 1, columns: 4))
    output[0, 0] = 5
    linear.apply(
      input: input.view.rows(0..<0), output: output.mutableView.rows(0..<0),
      pool: WorkerPool(threads: 1), scratch: scratch)
    #expect(output[0, 0] == 5)
  }
}
