/// Conversions between `Float` and the narrower formats that checkpoints hold, by integer operations
/// on the bits. Decoding is exact; encoding rounds to the nearest, ties to even.
enum FloatBits {
  /// The value of a binary16 bit pattern.
  @inline(__always)
  static func float(half: UInt16) -> Float {
    let exponentMask: UInt32 = 0x7c00 << 13
    var bits = UInt32(half & 0x7fff) << 13
    let exponent = bits & exponentMask
    bits &+= (127 - 15) << 23
    if exponent == exponentMask {
      bits &+= (128 - 16) << 23  // infinity or NaN
    } else if exponent == 0 {
      // Subnormal: read the fraction under an implicit one, then take that one away.
      let implicitOne: UInt32 = (127 - 14) << 23
      bits = (Float(bitPattern: bits &+ 1 << 23) - Float(bitPattern: implicitOne)).bitPattern
    }
    return Float(bitPattern: bits | UInt32(half & 0x8000) << 16)
  }

  /// The value of a bfloat16 bit pattern.
  @inline(__always)
  static func float(brain: UInt16) -> Float { Float(bitPattern: UInt32(brain) << 16) }

  /// The value of an OCP E4M3 bit pattern: bias 7, no infinities, NaN is all ones.
  @inline(__always)
  static func float(e4m3 pattern: UInt8) -> Float {
    let sign = UInt32(pattern & 0x80) << 24
    let magnitude = UInt32(pattern & 0x7f)
    if magnitude == 0x7f { return Float(bitPattern: sign | 0x7fc0_0000) }
    if magnitude < 8 {
      return Float(bitPattern: sign | (Float(magnitude) * 0x1p-9).bitPattern)  // subnormal
    }
    return Float(bitPattern: sign | (magnitude << 20) &+ (127 - 7) << 23)
  }

  /// The binary16 bit pattern nearest to `value`; magnitudes from 65,520 up become infinite.
  @inline(__always)
  static func half(_ value: Float) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
    let magnitude = value.bitPattern & 0x7fff_ffff
    if magnitude > 0x7f80_0000 {
      // A quiet NaN with what fits of its payload.
      return sign | 0x7e00 | UInt16(truncatingIfNeeded: magnitude >> 13) & 0x1ff
    }
    if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
    if magnitude < 0x3880_0000 {
      // Subnormal or zero: adding a half makes the hardware round at the last subnormal bit.
      let magic: UInt32 = (127 - 15 + 23 - 10 + 1) << 23
      let rounded = Float(bitPattern: magnitude) + Float(bitPattern: magic)
      return sign | UInt16(truncatingIfNeeded: rounded.bitPattern &- magic)
    }
    let odd = magnitude >> 13 & 1
    let rebased = magnitude &- (127 - 15) << 23 &+ 0xfff &+ odd
    return sign | UInt16(truncatingIfNeeded: rebased >> 13)
  }

  /// The bfloat16 bit pattern nearest to `value`.
  @inline(__always)
  static func brain(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if bits & 0x7fff_ffff > 0x7f80_0000 {
      return UInt16(truncatingIfNeeded: bits >> 16) | 0x40  // a quiet NaN
    }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16)
  }
}
