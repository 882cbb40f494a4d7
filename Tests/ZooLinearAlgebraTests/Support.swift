import ZooLinearAlgebra
import ZooMemory

/// `count` values uniform with standard deviation `deviation`.
func randomValues(_ count: Int, seed: UInt64, deviation: Float = 1) -> [Float] {
  var generator = SeededGenerator(seed: seed)
  var values = [Float](repeating: 0, count: count)
  values.withUnsafeMutableBufferPointer { buffer in
    if let base = buffer.baseAddress {
      generator.fill(base, count: count, deviation: deviation)
    }
  }
  return values
}

extension WeightMatrix {
  /// Row `output` widened.
  func values(ofRow output: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
      if let base = buffer.baseAddress { decodeRows(output..<(output + 1), to: base) }
      count = inputs
    }
  }
}

/// weight · row + bias in float64, and the sum of the terms' magnitudes, to which a float32
/// accumulation's error is proportional.
func reference(
  _ weight: [Float], _ row: UnsafePointer<Float>, bias: Float = 0
) -> (value: Double, magnitude: Double) {
  var value = Double(bias)
  var magnitude = abs(value)
  for index in weight.indices {
    let term = Double(weight[index]) * Double(row[index])
    value += term
    magnitude += abs(term)
  }
  return (value, magnitude)
}

/// What float32 accumulation of `terms` products may be off by, relative to the sum of their
/// magnitudes: half a unit in the last place an addition, in the order least kind.
func accumulationTolerance(terms: Int) -> Double { Double(terms + 2) * 0x1p-24 }
