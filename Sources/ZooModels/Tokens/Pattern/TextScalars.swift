/// Text as Unicode scalars with the place of each among its bytes.
///
/// A byte that belongs to no well-formed UTF-8 sequence stands alone as the scalar `0x110000 + byte`:
/// unassigned, so that it is neither letter, number nor white space, and no bytes are lost.
struct TextScalars {
  /// The bytes.
  let bytes: [UInt8]
  /// The scalars, in order.
  let scalars: [UInt32]
  /// Where each scalar starts among the bytes, and the number of bytes at the end.
  let starts: [Int32]

  /// The scalar that stands for an ill-formed byte 0 would be this.
  static let illFormed: UInt32 = 0x110000

  init(_ bytes: [UInt8]) {
    var scalars: [UInt32] = []
    var starts: [Int32] = []
    scalars.reserveCapacity(bytes.count)
    starts.reserveCapacity(bytes.count + 1)
    bytes.withUnsafeBufferPointer { bytes in
      var place = 0
      while place < bytes.count {
        let (scalar, length) = Self.scalar(bytes, place)
        scalars.append(scalar)
        starts.append(Int32(place))
        place += length
      }
    }
    starts.append(Int32(bytes.count))
    self.bytes = bytes
    self.scalars = scalars
    self.starts = starts
  }

  /// The bytes of the scalars in `range`.
  func bytes(of range: Range<Int>) -> ArraySlice<UInt8> {
    bytes[Int(starts[range.lowerBound])..<Int(starts[range.upperBound])]
  }

  /// The scalar at `place` and its bytes (The Unicode Standard, table 3-7).
  private static func scalar(
    _ bytes: UnsafeBufferPointer<UInt8>, _ place: Int
  ) -> (scalar: UInt32, length: Int) {
    let first = bytes[place]
    if first < 0x80 { return (UInt32(first), 1) }
    let alone = (illFormed + UInt32(first), 1)
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xbf
    switch first {
    case 0xc2...0xdf: length = 2
    case 0xe0...0xef:
      length = 3
      if first == 0xe0 { second = 0xa0...0xbf }
      if first == 0xed { second = 0x80...0x9f }
    case 0xf0...0xf4:
      length = 4
      if first == 0xf0 { second = 0x90...0xbf }
      if first == 0xf4 { second = 0x80...0x8f }
    default: return alone
    }
    guard place + length <= bytes.count, second.contains(bytes[place + 1]) else { return alone }
    var scalar = UInt32(first) & (0x7f >> UInt32(length))
    for index in 1..<length {
      let byte = bytes[place + index]
      guard byte & 0xc0 == 0x80 else { return alone }
      scalar = scalar << 6 | UInt32(byte & 0x3f)
    }
    return (scalar, length)
  }
}
