import Testing
import ZooMemory

/// Conversions by integer arithmetic alone, from the formats' definitions.
private enum ReferenceHalf {
  /// Value of a binary16 pattern: 1 sign, 5 exponent (bias 15), 10 fraction bits.
  static func decodeFloat16(_ bits: UInt16) -> Float {
    let sign: Float = bits & 0x8000 == 0 ? 1 : -1
    let exponent = Int(bits >> 10 & 0x1F)
    let fraction = Float(bits & 0x3FF)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
    }
  }

  static func decodeBFloat16(_ bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

  /// binary32 to binary16, to nearest, ties to even; NaN is not for this function.
  static func encodeFloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(bits >> 16 & 0x8000)
    let exponent = Int(bits >> 23 & 0xFF) - 127
    let significand = UInt64(bits & 0x7F_FFFF) | (bits >> 23 & 0xFF == 0 ? 0 : 0x80_0000)
    if exponent == 128 { return sign | 0x7C00 }
    // In units of 2^-24 (the least subnormal) below 2^-14, of the exponent's own unit above.
    let unit = max(exponent, -14) - 10
    let shift = unit - (max(exponent, -126) - 23)
    if shift > 40 { return sign }
    let half = UInt64(1) << UInt64(shift - 1)
    let rest = significand & ((1 << UInt64(shift)) - 1)
    var rounded = significand >> UInt64(shift)
    if rest > half || (rest == half && rounded & 1 == 1) { rounded += 1 }
    // A carry out of the fraction moves the exponent on by itself.
    let magnitude = exponent >= -14 ? UInt64(exponent + 14) << 10 + rounded : rounded
    return sign | UInt16(min(magnitude, 0x7C00))
  }

  static func encodeBFloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rest = bits & 0xFFFF
    var upper = bits >> 16
    if rest > 0x8000 || (rest == 0x8000 && upper & 1 == 1) { upper += 1 }
    return UInt16(upper)
  }
}

@Suite struct HalfFormatTests {
  static func encode(_ values: [Float], as format: HalfFormat) -> [UInt16] {
    [UInt16](unsafeUninitializedCapacity: values.count) { buffer, count in
      if let base = buffer.baseAddress { format.encode(values, to: base, count: values.count) }
      count = values.count
    }
  }

  static func decode(_ patterns: [UInt16], as format: HalfFormat) -> [Float] {
    [Float](unsafeUninitializedCapacity: patterns.count) { buffer, count in
      if let base = buffer.baseAddress { format.decode(patterns, to: base, count: patterns.count) }
      count = patterns.count
    }
  }

  static let allPatterns = (0...UInt16.max).map { $0 }

  @Test("All 65,536 patterns decode exactly", arguments: [HalfFormat.float16, .bfloat16])
  func decodesExactly(format: HalfFormat) {
    let values = Self.decode(Self.allPatterns, as: format)
    var wrong = 0
    for (pattern, value) in zip(Self.allPatterns, values) {
      let expected =
        format == .float16
        ? ReferenceHalf.decodeFloat16(pattern) : ReferenceHalf.decodeBFloat16(pattern)
      if expected.isNaN ? !value.isNaN : value.bitPattern != expected.bitPattern { wrong += 1 }
    }
    #expect(wrong == 0)
  }

  @Test("Every pattern survives decode and encode", arguments: [HalfFormat.float16, .bfloat16])
  func roundTrip(format: HalfFormat) {
    let values = Self.decode(Self.allPatterns, as: format)
    let again = Self.encode(values, as: format)
    for index in Self.allPatterns.indices where !values[index].isNaN {
      if again[index] != Self.allPatterns[index] {
        Issue.record("pattern \(Self.allPatterns[index]) became \(again[index])")
        return
      }
    }
    #expect(
      Self.decode(again, as: format).indices.allSatisfy {
        values[$0].isNaN == Self.isNaN(again[$0], format)
      })
  }

  static func isNaN(_ pattern: UInt16, _ format: HalfFormat) -> Bool {
    format == .float16 ? pattern & 0x7FFF > 0x7C00 : pattern & 0x7FFF > 0x7F80
  }

  @Test("Encoding rounds to nearest even, bit for bit", arguments: [HalfFormat.float16, .bfloat16])
  func encodesExactly(format: HalfFormat) {
    var values: [Float] = []
    // Every representable value, the ties halfway to the next, and their neighbours on both sides.
    let steps = Self.allPatterns.filter { !Self.isNaN($0, format) && $0 & 0x7FFF != 0x7FFF }
    for pattern in steps {
      let (low, high) = (
        Self.decode([pattern], as: format)[0], Self.decode([pattern + 1], as: format)[0]
      )
      if !low.isFinite || !high.isFinite { continue }
      let tie = (low + high) / 2
      values += [low, tie, tie.nextUp, tie.nextDown]
    }
    values += [
      65504, 65519.996, 65520, 65536, 1e38, .infinity, -.infinity, -65520, 0x1p-149, -0x1p-149, 0,
      -0.0,
    ]
    values += [.greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNormalMagnitude]
    // Arbitrary bit patterns.
    var generator = SeededGenerator(seed: 3)
    while values.count < 1_000_000 {
      let value = Float(bitPattern: UInt32(truncatingIfNeeded: generator.next()))
      if !value.isNaN { values.append(value) }
    }
    let encoded = Self.encode(values, as: format)
    for (value, pattern) in zip(values, encoded) {
      let expected =
        format == .float16
        ? ReferenceHalf.encodeFloat16(value) : ReferenceHalf.encodeBFloat16(value)
      if pattern != expected {
        Issue.record("\(value) (\(value.bitPattern)) became \(pattern), not \(expected)")
        return
      }
    }
  }

  @Test("NaN stays NaN, whatever its payload", arguments: [HalfFormat.float16, .bfloat16])
  func notANumber(format: HalfFormat) {
    let patterns: [UInt32] = [
      0x7F80_0001, 0x7F80_8000, 0x7FC0_0000, 0x7FFF_FFFF, 0xFF80_0001, 0xFFFF_FFFF,
    ]
    let encoded = Self.encode(patterns.map { Float(bitPattern: $0) }, as: format)
    #expect(encoded.allSatisfy { Self.isNaN($0, format) })
    #expect(format.rounded(.nan).isNaN)
  }

  @Test("Any count converts, and nothing past it", arguments: [HalfFormat.float16, .bfloat16])
  func counts(format: HalfFormat) {
    for count in 0...67 {
      let values = (0..<count).map { Float($0) - 30 }
      var patterns = [UInt16](repeating: 0xABCD, count: count + 1)
      format.encode(values + [5], to: &patterns, count: count)
      #expect(patterns[count] == 0xABCD)
      var back = [Float](repeating: 123, count: count + 1)
      format.decode(patterns, to: &back, count: count)
      #expect(back == values + [123])
    }
  }
}
