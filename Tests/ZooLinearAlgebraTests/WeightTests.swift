import Testing
import ZooLinearAlgebra
import ZooMemory

@Suite struct WeightTests {
  @Test("Formats know their names and sizes")
  func formats() {
    #expect(WeightFormat.allCases.map(\.rawValue) == ["f32", "f16", "bf16", "int8"])
    #expect(WeightFormat.allCases.map(\.bytesPerElement) == [4, 2, 2, 1])
    #expect(WeightFormat(rawValue: "bf16") == .bfloat16)
    #expect(WeightFormat(rawValue: "q8") == nil)
  }

  /// Formats without scales.
  static let floats: [WeightFormat] = [.float32, .float16, .bfloat16]

  @Test(
    "Bytes are outputs × inputs × bytes an element, and scales", arguments: WeightFormat.allCases)
  func bytes(format: WeightFormat) throws {
    let weight = try WeightMatrix(outputs: 33, inputs: 65, format: format, seed: 1, deviation: 1)
    let elements = 33 * 65 * format.bytesPerElement
    // Scales begin on a cache line.
    #expect(
      weight.byteCount == (format == .int8 ? (elements + 63) / 64 * 64 + 33 * 4 : elements))
    #expect(weight.mappedBytes - weight.byteCount < 4096)
  }

  @Test("8-bit weights are multiples of their row's largest magnitude by 127")
  func quantisation() throws {
    let values = randomValues(70 * 401, seed: 21)
    let pool = WorkerPool(threads: 2)
    let weights = try [nil, pool].map {
      try WeightMatrix(outputs: 70, inputs: 401, format: .int8, values: values, pool: $0)
    }
    for row in 0..<70 {
      let own = values[(row * 401)..<((row + 1) * 401)]
      let step = (own.map(abs).max() ?? 0) / 127
      for weight in weights {
        for (stored, value) in zip(weight.values(ofRow: row), own) {
          #expect(abs(stored - value) <= step * 0.5001)
          #expect(abs(stored / step - (stored / step).rounded()) < 1e-4)
        }
      }
    }
  }

  @Test("Conversion from float32 rounds each element once", arguments: floats)
  func conversion(format: WeightFormat) throws {
    let values = randomValues(700 * 401, seed: 21)
    let pool = WorkerPool(threads: 2)
    let weights = try [nil, pool].map {
      try WeightMatrix(outputs: 700, inputs: 401, format: format, values: values, pool: $0)
    }
    for row in [0, 1, 350, 699] {
      let expected = values[(row * 401)..<((row + 1) * 401)].map {
        format.half?.rounded($0) ?? $0
      }
      for weight in weights { #expect(weight.values(ofRow: row) == expected) }
    }
  }

  @Test("16-bit patterns are kept as they are", arguments: [WeightFormat.float16, .bfloat16])
  func patterns(format: WeightFormat) throws {
    let patterns = (0..<65536).map { UInt16($0) }
    let weight = try WeightMatrix(outputs: 256, inputs: 256, format: format, patterns: patterns)
    let kept = UnsafeBufferPointer(
      start: weight.base.assumingMemoryBound(to: UInt16.self), count: 65536)
    #expect(Array(kept) == patterns)
  }

  @Test("A stored tensor of any alignment converts to any format")
  func unalignedConversion() throws {
    let values = randomValues(5 * 1111, seed: 22)
    for stored in Self.floats {
      let original = try WeightMatrix(outputs: 5, inputs: 1111, format: stored, values: values)
      let shifted = UnsafeMutableRawPointer.allocate(
        byteCount: original.byteCount + 1, alignment: 16)
      defer { shifted.deallocate() }
      (shifted + 1).copyMemory(from: original.base, byteCount: original.byteCount)
      for format in Self.floats {
        let weight = try WeightMatrix(
          outputs: 5, inputs: 1111, format: format, copying: shifted + 1, storedAs: stored)
        for row in 0..<5 {
          let expected = original.values(ofRow: row).map { format.half?.rounded($0) ?? $0 }
          #expect(weight.values(ofRow: row) == expected, "\(stored) to \(format)")
        }
      }
      let quantised = try WeightMatrix(
        outputs: 5, inputs: 1111, format: .int8, copying: shifted + 1, storedAs: stored)
      for row in 0..<5 {
        for (element, value) in zip(quantised.values(ofRow: row), original.values(ofRow: row)) {
          #expect(abs(element - value) < 0.01)
        }
      }
    }
  }

  @Test("Random weights depend on the seed, not on the threads", arguments: WeightFormat.allCases)
  func randomWeights(format: WeightFormat) throws {
    func make(seed: UInt64, stream: UInt64, threads: Int) throws -> [Float] {
      let weight = try WeightMatrix(
        outputs: 1001, inputs: 999, format: format, seed: seed, stream: stream, deviation: 0.02,
        pool: threads == 0 ? nil : WorkerPool(threads: threads))
      return (0..<1001).flatMap { weight.values(ofRow: $0) }
    }
    let values = try make(seed: 5, stream: 1, threads: 0)
    try #expect(make(seed: 5, stream: 1, threads: 1) == values)
    try #expect(make(seed: 5, stream: 1, threads: 2) == values)
    try #expect(make(seed: 6, stream: 1, threads: 2) != values)
    try #expect(make(seed: 5, stream: 2, threads: 2) != values)
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0) { $0 + Double($1) * Double($1) } / Double(values.count)
    // A million values: the mean's standard error is 2e-5.
    #expect(abs(mean) < 1e-4)
    #expect(abs(square.squareRoot() - 0.02) < 1e-4)
  }

  @Test("Transposing each block swaps its rows and columns", arguments: WeightFormat.allCases)
  func transposition(format: WeightFormat) throws {
    let weight = try WeightMatrix(outputs: 3 * 7, inputs: 5, format: format, seed: 9, deviation: 1)
    let transposed = try weight.transposingBlocks(3)
    #expect(transposed.outputs == 15 && transposed.inputs == 7)
    for block in 0..<3 {
      for row in 0..<7 {
        for column in 0..<5 {
          let moved = transposed.values(ofRow: block * 5 + column)[row]
          let value = weight.values(ofRow: block * 7 + row)[column]
          // 8-bit rows are quantised anew: half a step of values below √3.
          #expect(format == .int8 ? abs(moved - value) < 0.007 : moved == value)
        }
      }
    }
  }

  @Test("NaN and infinity among weights are found", arguments: WeightFormat.allCases)
  func nonFinite(format: WeightFormat) throws {
    for poison in [Float.nan, .infinity, -.infinity] {
      var values = randomValues(6 * 10, seed: 23)
      let clean = try WeightMatrix(outputs: 6, inputs: 10, format: format, values: values)
      #expect(clean.firstNonFinite() == nil)
      values[47] = poison
      let weight = try WeightMatrix(outputs: 6, inputs: 10, format: format, values: values)
      let place = weight.firstNonFinite()
      // A row of 8-bit weights is spoilt as a whole.
      #expect(place?.output == 4 && place?.input == (format == .int8 ? 0 : 7))
    }
  }

  @Test("Weights that do not fit throw")
  func outOfMemory() {
    #expect(throws: OutOfMemory.self) {
      try WeightMatrix(
        outputs: 1 << 30, inputs: 1 << 20, format: .float32, seed: 1, deviation: 1)
    }
  }
}
