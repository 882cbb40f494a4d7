/// The element type of a stored tensor, by its name in the safetensors format.
public enum TensorDType: String, CaseIterable, Hashable, Sendable {
  /// IEEE 754 binary64.
  case f64 = "F64"
  /// IEEE 754 binary32.
  case f32 = "F32"
  /// IEEE 754 binary16.
  case f16 = "F16"
  /// The upper half of a binary32: 8 exponent bits, 7 fraction bits.
  case bf16 = "BF16"
  /// OCP 8-bit float, 4 exponent bits, 3 fraction bits, finite, no infinities ("fn").
  case f8e4m3 = "F8_E4M3"
  /// OCP 8-bit float, 5 exponent bits, 2 fraction bits.
  case f8e5m2 = "F8_E5M2"
  /// OCP 8-bit power-of-two scale, as in microscaling formats.
  case f8e8m0 = "F8_E8M0"
  /// Signed 64-bit integer.
  case i64 = "I64"
  /// Signed 32-bit integer.
  case i32 = "I32"
  /// Signed 16-bit integer.
  case i16 = "I16"
  /// Signed 8-bit integer.
  case i8 = "I8"
  /// Unsigned 64-bit integer.
  case u64 = "U64"
  /// Unsigned 32-bit integer.
  case u32 = "U32"
  /// Unsigned 16-bit integer.
  case u16 = "U16"
  /// Unsigned 8-bit integer, also the carrier of packed 4-bit formats.
  case u8 = "U8"
  /// One byte, 0 or 1.
  case bool = "BOOL"

  /// Bytes of one element.
  public var byteWidth: Int {
    switch self {
    case .f64, .i64, .u64: 8
    case .f32, .i32, .u32: 4
    case .f16, .bf16, .i16, .u16: 2
    case .f8e4m3, .f8e5m2, .f8e8m0, .i8, .u8, .bool: 1
    }
  }

  /// Whether elements decode to `Float` one by one.
  public var isFloatingPoint: Bool {
    switch self {
    case .f64, .f32, .f16, .bf16, .f8e4m3, .f8e5m2: true
    default: false
    }
  }

  /// The names of all element types, for messages.
  static var knownNames: String { allCases.map(\.rawValue).joined(separator: ", ") }

  /// Bytes of a tensor of `shape`, or nil where an extent is negative or the product overflows.
  func byteCount(shape: [Int]) -> (elements: Int, bytes: Int)? {
    var elements = 1
    for extent in shape {
      guard extent >= 0 else { return nil }
      let (product, overflow) = elements.multipliedReportingOverflow(by: extent)
      guard !overflow else { return nil }
      elements = product
    }
    let (bytes, overflow) = elements.multipliedReportingOverflow(by: byteWidth)
    return overflow ? nil : (elements, bytes)
  }
}
