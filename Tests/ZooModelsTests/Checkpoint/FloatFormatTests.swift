import Testing
import ZooModels

/// Decodes `bytes` as a tensor of `dtype` by way of a file.
private func decode(_ bytes: [UInt8], as dtype: TensorDType, count: Int) throws -> [Float] {
  let folder = try TemporaryFolder()
  let writer = try SafetensorsWriter(
    path: folder("f"), tensors: [TensorDeclaration(name: "a", dtype: dtype, shape: [count])])
  try bytes.withUnsafeBytes { try writer.append(bytes: $0, to: "a") }
  try writer.finish()
  return try Safetensors(path: folder("f")).floats(named: "a", checkFinite: false)
}

/// Encodes `values` as a tensor of 16-bit floats by way of a file.
private func encode(_ values: [Float], as dtype: TensorDType) throws -> [UInt16] {
  let folder = try TemporaryFolder()
  let writer = try SafetensorsWriter(
    path: folder("f"), tensors: [TensorDeclaration(name: "a", dtype: dtype, shape: [values.count])])
  try writer.append(values, to: "a")
  try writer.finish()
  return try Safetensors(path: folder("f")).tensor(named: "a").withUnsafeBytes { bytes in
    (0..<values.count).map { bytes.loadUnaligned(fromByteOffset: 2 * $0, as: UInt16.self) }
  }
}

private func littleEndian(_ patterns: [UInt16]) -> [UInt8] {
  patterns.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
}

@Suite("Narrow floats decode exactly and encode to the nearest, ties to even")
struct FloatFormatTests {
  /// Every 16-bit pattern.
  static let patterns = (0...UInt16.max).map { $0 }

  #if !((os(macOS) || targetEnvironment(macCatalyst)) && arch(x86_64))
    @Test("all 65,536 binary16 patterns, against the language's own type")
    func half() throws {
      let decoded = try decode(
        littleEndian(Self.patterns), as: .f16, count: Self.patterns.count)
      let wrong = Self.patterns.filter { pattern in
        let expected = Float(Float16(bitPattern: pattern))
        let value = decoded[Int(pattern)]
        return expected.isNaN ? !value.isNaN : value.bitPattern != expected.bitPattern
      }
      #expect(wrong.isEmpty)
      let finite = Self.patterns.filter { !decoded[Int($0)].isNaN }
      #expect(try encode(finite.map { decoded[Int($0)] }, as: .f16) == finite)
    }

    @Test("binary16 rounding, on random values, midpoints and their neighbours")
    func halfRounding() throws {
      var values: [Float] = []
      for pattern in UInt16(0)..<0x7bff {
        let low = Float(Float16(bitPattern: pattern))
        let middle = (low + Float(Float16(bitPattern: pattern + 1))) / 2
        values += [middle, middle.nextUp, middle.nextDown, -middle]
      }
      var generator = SeededGenerator(seed: 1)
      for _ in 0..<20_000 {
        let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
        if value.magnitude < 65_520 { values.append(value) }
      }
      #expect(try encode(values, as: .f16) == values.map { Float16($0).bitPattern })
    }
  #endif

  @Test("all bfloat16 patterns are the upper halves of binary32")
  func brain() throws {
    let decoded = try decode(littleEndian(Self.patterns), as: .bf16, count: Self.patterns.count)
    #expect(decoded.map(\.bitPattern) == Self.patterns.map { UInt32($0) << 16 })
    let numbers = Self.patterns.filter { !decoded[Int($0)].isNaN }
    #expect(try encode(numbers.map { decoded[Int($0)] }, as: .bf16) == numbers)
  }

  @Test("bfloat16 rounds midpoints to even, and keeps NaN a NaN")
  func brainRounding() throws {
    let cases: [(UInt32, UInt16)] = [
      (0x3f80_8000, 0x3f80), (0x3f81_8000, 0x3f82), (0x3f80_8001, 0x3f81), (0x3f80_7fff, 0x3f80),
      (0xbf81_8000, 0xbf82), (0x0000_8000, 0x0000), (0x0001_8000, 0x0002), (0x7f80_0001, 0x7fc0),
      (0xff80_0000, 0xff80),
    ]
    let encoded = try encode(cases.map { Float(bitPattern: $0.0) }, as: .bf16)
    #expect(encoded == cases.map(\.1))
  }

  @Test("8-bit floats, against the tables of the OCP specification")
  func eightBits() throws {
    // OCP 8-bit Floating Point Specification 1.0, table 1: least and greatest of each kind.
    let e4m3: [(UInt8, Float)] = [
      (0x00, 0), (0x80, -0.0), (0x01, 0x1p-9), (0x07, 0.875 * 0x1p-6), (0x08, 0x1p-6), (0x38, 1),
      (0x7e, 448), (0xfe, -448), (0x3c, 1.5),
    ]
    let four = try decode(e4m3.map(\.0), as: .f8e4m3, count: e4m3.count)
    #expect(four.map(\.bitPattern) == e4m3.map(\.1.bitPattern))
    #expect(try decode([0x7f, 0xff], as: .f8e4m3, count: 2).allSatisfy(\.isNaN))
    let e5m2: [(UInt8, Float)] = [
      (0x01, 0x1p-16), (0x03, 0.75 * 0x1p-14), (0x04, 0x1p-14), (0x7b, 57_344),
      (0x7c, .infinity), (0xfc, -.infinity), (0x3c, 1),
    ]
    #expect(try decode(e5m2.map(\.0), as: .f8e5m2, count: e5m2.count) == e5m2.map(\.1))
  }

  @Test("binary64 rounds to binary32")
  func double() throws {
    let values: [Double] = [0.1, 1e-300, -3, 1e300]
    let bytes = values.flatMap { value in
      (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
    }
    #expect(try decode(bytes, as: .f64, count: 4) == values.map { Float($0) })
  }
}

@Suite("A weight that is not finite is refused, with tensor and index")
struct NonFiniteTests {
  @Test(arguments: [
    (TensorDType.f32, Float.nan, "NaN"), (.f16, .nan, "NaN"), (.bf16, .nan, "NaN"),
    (.f32, .infinity, "infinity"), (.f16, -.infinity, "-infinity"), (.bf16, .infinity, "infinity"),
  ])
  func isNamed(dtype: TensorDType, value: Float, text: String) throws {
    let folder = try TemporaryFolder()
    let path = folder("f")
    let writer = try SafetensorsWriter(
      path: path, tensors: [TensorDeclaration(name: "w", dtype: dtype, shape: [3, 5, 7])])
    var values = [Float](repeating: 1, count: 105)
    values[1 * 35 + 4 * 7 + 2] = value
    values[104] = value
    try writer.append(values, to: "w")
    try writer.finish()
    let file = try Safetensors(path: path)
    let error = try #require(throws: CheckpointError.self) { try file.floats(named: "w") }
    #expect(
      error.description
        == "\(path): tensor \"w\", index [1, 4, 2]: found \(text), expected a finite number")
    #expect(error.exitCode == 65)
    #expect(try file.floats(named: "w", checkFinite: false).count == 105)
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 105)
    defer { memory.deallocate() }
    let later = try #require(throws: CheckpointError.self) {
      try file.tensor(named: "w").copyFloats(100..<105, into: memory)
    }
    #expect(later.place == "tensor \"w\", index [2, 4, 6]")
  }
}
