import ZooMemory

/// Turns portions of a tensor into bytes of an element type, and refuses what is not finite.
struct PortionEncoder {
  private let tensor: OutputTensor
  private let dtype: TensorDType
  private let file: String
  private var patterns: [UInt16] = []

  init(tensor: OutputTensor, dtype: TensorDType, file: String) {
    self.tensor = tensor
    self.dtype = dtype
    self.file = file
  }

  /// Hands `values`, which start at element `first` of the tensor, to `body` in the element type:
  /// F32, F16 or BF16, rounded to the nearest, ties to even.
  mutating func encode(
    _ values: UnsafeBufferPointer<Float>, from first: Int,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    guard let base = values.baseAddress else { return }
    let format: HalfFormat
    switch dtype {
    case .f32:
      try check(UnsafeRawBufferPointer(values), from: first)
      return try body(UnsafeRawBufferPointer(values))
    case .f16: format = .float16
    case .bf16: format = .bfloat16
    default:
      throw CheckpointError(
        kind: .unsupported, file: file, place: SafetensorsHeader.tensorPlace(tensor.name),
        found: "writing \(dtype.rawValue)", expected: "F32, F16 or BF16")
    }
    if patterns.count < values.count { patterns = [UInt16](repeating: 0, count: values.count) }
    patterns.withUnsafeMutableBufferPointer { buffer in
      if let target = buffer.baseAddress {
        format.encode(base, to: target, count: values.count)
      }
    }
    let count = values.count
    try patterns.withBuffer { buffer throws(CheckpointError) in
      let bytes = UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: buffer[..<count]))
      // An infinity out of a finite value would be a silent loss: the check sees both.
      try check(bytes, from: first)
      try body(bytes)
    }
  }

  /// Hands bytes that are in the element type already to `body`.
  func pass(
    _ bytes: UnsafeRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    try check(bytes, from: 0)
    try body(bytes)
  }

  /// Refuses an element whose exponent is all ones.
  private func check(_ bytes: UnsafeRawBufferPointer, from first: Int) throws(CheckpointError) {
    let bad: Int?
    switch dtype {
    case .f64: bad = Self.first(in: bytes, exponent: UInt64(0x7ff0_0000_0000_0000))
    case .f32: bad = Self.first(in: bytes, exponent: UInt32(0x7f80_0000))
    case .f16: bad = Self.first(in: bytes, exponent: UInt16(0x7c00))
    case .bf16: bad = Self.first(in: bytes, exponent: UInt16(0x7f80))
    default: bad = nil
    }
    guard let bad else { return }
    var rest = first + bad
    var position: [Int] = []
    for extent in tensor.shape.reversed() {
      position.append(rest % extent)
      rest /= extent
    }
    throw CheckpointError(
      kind: .nonFinite, file: file,
      place: "\(SafetensorsHeader.tensorPlace(tensor.name)), index \(Array(position.reversed()))",
      found: "a value that is no finite \(dtype.rawValue)", expected: "a finite number")
  }

  /// The first element whose exponent bits are all set. One pass that the compiler can vectorise
  /// decides; the search runs only on bad news.
  private static func first<Pattern: FixedWidthInteger & BitwiseCopyable>(
    in bytes: UnsafeRawBufferPointer, exponent: Pattern
  ) -> Int? {
    let width = MemoryLayout<Pattern>.size
    let count = bytes.count / width
    var worst: Pattern = 0
    for index in 0..<count {
      worst = max(
        worst, bytes.loadUnaligned(fromByteOffset: index * width, as: Pattern.self) & exponent)
    }
    guard worst == exponent else { return nil }
    return (0..<count).first {
      bytes.loadUnaligned(fromByteOffset: $0 * width, as: Pattern.self) & exponent == exponent
    }
  }
}
