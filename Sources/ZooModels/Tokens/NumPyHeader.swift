/// The header of a `.npy` file (NumPy enhancement proposal 1): `\x93NUMPY`, version, length, and a
/// Python dictionary of `descr`, `fortran_order` and `shape`.
struct NumPyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
  /// The longest dictionary accepted, bytes.
  private static let longest = 1 << 16

  let dtype: TensorDType
  let count: Int
  /// Where the elements begin.
  let dataStart: Int

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
    func malformed(_ place: String, _ found: String, _ expected: String) -> CheckpointError {
      CheckpointError(
        kind: .malformed, file: file, place: place, found: found, expected: expected)
    }
    guard bytes.count >= 10 else {
      throw malformed("header", "a file of \(bytes.count) bytes", "at least 10")
    }
    let version = bytes[6]
    guard (1...3).contains(version), bytes[7] == 0 else {
      throw malformed("version", "\(version).\(bytes[7])", "1.0, 2.0 or 3.0")
    }
    let lengthBytes = version == 1 ? 2 : 4
    guard bytes.count >= 8 + lengthBytes else {
      throw malformed("header", "a file of \(bytes.count) bytes", "at least \(8 + lengthBytes)")
    }
    var length = 0
    for index in 0..<lengthBytes { length |= Int(bytes[8 + index]) << (8 * index) }
    let start = 8 + lengthBytes
    guard length <= min(Self.longest, bytes.count - start) else {
      throw malformed(
        "header length", "\(length) bytes",
        "at most \(min(Self.longest, bytes.count - start)), what the file holds after it")
    }
    var reader = PythonDictionaryReader(bytes[start..<start + length])
    guard let entries = reader.entries() else {
      throw malformed(
        "header",
        CheckpointError.quoted(String(decoding: bytes[start..<start + length], as: UTF8.self)),
        "{'descr': …, 'fortran_order': …, 'shape': …}")
    }
    let known: [String: TensorDType] = ["<i4": .i32, "<i8": .i64, "<u2": .u16, "<u4": .u32]
    guard case .text(let name)? = entries["descr"], let dtype = known[name] else {
      throw malformed(
        "descr", entries["descr"]?.summary ?? "nothing", "one of '<i4', '<i8', '<u2', '<u4'")
    }
    guard case .flag(false)? = entries["fortran_order"] else {
      throw malformed("fortran_order", entries["fortran_order"]?.summary ?? "nothing", "False")
    }
    guard case .shape(let shape)? = entries["shape"], shape.count == 1 else {
      throw malformed(
        "shape", entries["shape"]?.summary ?? "nothing", "one dimension, such as (4096,)")
    }
    let (size, overflow) = shape[0].multipliedReportingOverflow(by: dtype.byteWidth)
    guard !overflow, size == bytes.count - start - length else {
      throw malformed(
        "shape", "(\(shape[0]),) of \(dtype.byteWidth) bytes each",
        "the \(bytes.count - start - length) bytes that follow the header")
    }
    self.dtype = dtype
    count = shape[0]
    dataStart = start + length
  }
}

/// Reads the dictionary of a `.npy` header: text in quotation marks, True, False and tuples of numbers.
struct PythonDictionaryReader {
  enum Value {
    case text(String)
    case flag(Bool)
    case shape([Int])

    var summary: String {
      switch self {
      case .text(let text): CheckpointError.quoted(text)
      case .flag(let flag): flag ? "True" : "False"
      case .shape(let extents): "(" + extents.map { "\($0)" }.joined(separator: ", ") + ")"
      }
    }
  }

  private let bytes: [UInt8]
  private var place = 0

  init(_ bytes: Slice<UnsafeRawBufferPointer>) { self.bytes = Array(bytes) }

  /// All entries; nil for anything else than such a dictionary, or for a key that is there twice.
  mutating func entries() -> [String: Value]? {
    var result: [String: Value] = [:]
    guard take("{") else { return nil }
    while !take("}") {
      guard let key = text(), take(":"), let value = value(),
        result.updateValue(value, forKey: key) == nil
      else { return nil }
      guard take(",") || peek == UInt8(ascii: "}") else { return nil }
    }
    skipSpace()
    return place == bytes.count ? result : nil
  }

  private mutating func value() -> Value? {
    skipSpace()
    switch peek {
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return text().map(Value.text)
    case UInt8(ascii: "T"): return word("True") ? .flag(true) : nil
    case UInt8(ascii: "F"): return word("False") ? .flag(false) : nil
    case UInt8(ascii: "("): return shape().map(Value.shape)
    default: return nil
    }
  }

  private mutating func shape() -> [Int]? {
    guard take("(") else { return nil }
    var extents: [Int] = []
    while !take(")") {
      guard extents.count < 32, let extent = number() else { return nil }
      extents.append(extent)
      guard take(",") || peek == UInt8(ascii: ")") else { return nil }
    }
    return extents
  }

  private mutating func number() -> Int? {
    skipSpace()
    var digits = ""
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), digits.count < 20
    {
      digits.unicodeScalars.append(Unicode.Scalar(byte))
      place += 1
    }
    return Int(digits)
  }

  private mutating func text() -> String? {
    skipSpace()
    guard let mark = peek, mark == UInt8(ascii: "'") || mark == UInt8(ascii: "\"") else {
      return nil
    }
    let rest = bytes[(place + 1)...]
    guard let end = rest.firstIndex(of: mark), !rest[..<end].contains(UInt8(ascii: "\\")) else {
      return nil
    }
    place = end + 1
    return String(validating: rest[..<end], as: UTF8.self)
  }

  private mutating func word(_ word: String) -> Bool {
    guard bytes[place...].starts(with: word.utf8) else { return false }
    place += word.utf8.count
    return true
  }

  private var peek: UInt8? { place < bytes.count ? bytes[place] : nil }

  private mutating func take(_ sign: Unicode.Scalar) -> Bool {
    skipSpace()
    guard let byte = peek, UInt32(byte) == sign.value else { return false }
    place += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x09 { place += 1 }
  }
}
