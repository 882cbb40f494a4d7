/// A strict JSON reader for untrusted files.
///
/// It differs from Foundation's in what a checkpoint needs: it refuses a key that an object holds
/// twice (the safetensors format forbids it), bounds depth and the number of values, so that a
/// hostile header costs bounded memory, and says at which byte it stopped and why.
struct JSONParser {
  /// Why the text is not acceptable, and where.
  struct Failure: Error {
    let offset: Int
    let found: String
    let expected: String
  }

  /// The deepest nesting accepted; checkpoint files need five levels.
  static let maximumDepth = 64
  /// The most values accepted in one text; the largest published index holds about 10^5.
  static let maximumValues = 4_000_000
  /// The longest number accepted, in characters.
  private static let maximumNumberLength = 128

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  private var valueCount = 0

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// Reads one value that fills `bytes` but for white space.
  static func parse(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> JSONValue {
    var parser = JSONParser(bytes)
    let value = try parser.value(depth: 1)
    parser.skipWhiteSpace()
    guard parser.position == bytes.count else { throw parser.failure("the end of the text") }
    return value
  }

  /// Reads the text of `file`, turning a failure into an error that names the file and the byte;
  /// `place` says what the text is ("header"), `base` how far it starts into the file.
  static func parse(
    _ bytes: UnsafeRawBufferPointer, file: String, place: String, base: Int = 0
  ) throws(CheckpointError) -> JSONValue {
    do {
      return try parse(bytes)
    } catch {
      throw CheckpointError(
        kind: .malformed, file: file,
        place: (place.isEmpty ? "" : place + ", ") + "byte \(base + error.offset)",
        found: error.found, expected: error.expected)
    }
  }

  private mutating func value(depth: Int) throws(Failure) -> JSONValue {
    skipWhiteSpace()
    guard depth <= Self.maximumDepth else {
      throw failure(
        found: "deeper nesting", expected: "JSON of at most \(Self.maximumDepth) levels")
    }
    valueCount += 1
    guard valueCount <= Self.maximumValues else {
      throw failure(found: "more values", expected: "JSON of at most \(Self.maximumValues) values")
    }
    guard let first = peek else { throw failure("a JSON value") }
    switch first {
    case UInt8(ascii: "{"): return .object(try object(depth: depth))
    case UInt8(ascii: "["): return .array(try array(depth: depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw failure("a JSON value")
    }
  }

  private mutating func object(depth: Int) throws(Failure) -> [String: JSONValue] {
    position += 1
    var members: [String: JSONValue] = [:]
    skipWhiteSpace()
    if take(UInt8(ascii: "}")) { return members }
    while true {
      skipWhiteSpace()
      let start = position
      guard peek == UInt8(ascii: "\"") else { throw failure("a key in quotation marks") }
      let key = try string()
      skipWhiteSpace()
      guard take(UInt8(ascii: ":")) else { throw failure("a colon after the key") }
      let member = try value(depth: depth + 1)
      guard members.updateValue(member, forKey: key) == nil else {
        throw Failure(
          offset: start, found: "a second entry \(CheckpointError.quoted(key))",
          expected: "each name once")
      }
      skipWhiteSpace()
      if take(UInt8(ascii: ",")) { continue }
      guard take(UInt8(ascii: "}")) else { throw failure("a comma or a closing brace") }
      return members
    }
  }

  private mutating func array(depth: Int) throws(Failure) -> [JSONValue] {
    position += 1
    var values: [JSONValue] = []
    skipWhiteSpace()
    if take(UInt8(ascii: "]")) { return values }
    while true {
      values.append(try value(depth: depth + 1))
      skipWhiteSpace()
      if take(UInt8(ascii: ",")) { continue }
      guard take(UInt8(ascii: "]")) else { throw failure("a comma or a closing bracket") }
      return values
    }
  }

  private mutating func string() throws(Failure) -> String {
    let start = position
    position += 1
    var units: [UInt8] = []
    while true {
      guard let byte = peek else { throw failure("a closing quotation mark") }
      switch byte {
      case UInt8(ascii: "\""):
        position += 1
        guard let text = String(validating: units, as: UTF8.self) else {
          throw Failure(offset: start, found: "a string that is not UTF-8", expected: "UTF-8 text")
        }
        return text
      case UInt8(ascii: "\\"):
        position += 1
        units.append(contentsOf: Array(String(try escape()).utf8))
      case 0..<0x20: throw failure("no control character in a string")
      default:
        units.append(byte)
        position += 1
      }
    }
  }

  /// Reads an escape after its backslash.
  private mutating func escape() throws(Failure) -> Unicode.Scalar {
    guard let byte = peek else { throw failure("an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let unit = try hexadecimalUnit()
      if let scalar = Unicode.Scalar(unit) { return scalar }
      // A surrogate: the first of a pair must come first, and the second at once.
      guard (0xd800..<0xdc00).contains(unit), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u"))
      else { throw failure("a pair of surrogates") }
      let second = try hexadecimalUnit()
      guard (0xdc00..<0xe000).contains(second),
        let scalar = Unicode.Scalar(0x10000 + (unit - 0xd800) << 10 + (second - 0xdc00))
      else { throw failure("a pair of surrogates") }
      return scalar
    default:
      position -= 1
      throw failure("an escape of JSON")
    }
  }

  private mutating func hexadecimalUnit() throws(Failure) -> UInt32 {
    var unit: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("four hexadecimal digits")
      }
      unit = unit << 4 | UInt32(digit)
      position += 1
    }
    return unit
  }

  private mutating func number() throws(Failure) -> JSONValue {
    let start = position
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    guard position - start <= Self.maximumNumberLength else {
      throw Failure(
        offset: start, found: "a number of \(position - start) characters",
        expected: "at most \(Self.maximumNumberLength)")
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else {
      throw Failure(
        offset: start, found: "the number \(CheckpointError.quoted(text))",
        expected: "one within the range of a double")
    }
    return .real(value)
  }

  private mutating func digits() throws(Failure) {
    let start = position
    while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    guard position > start else { throw failure("a digit") }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(Failure)
    -> JSONValue
  {
    for index in 0..<text.utf8CodeUnitCount where !take(text.utf8Start[index]) {
      throw failure("\(text)")
    }
    return value
  }

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipWhiteSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
      position += 1
    }
  }

  private func failure(_ expected: String) -> Failure {
    let found =
      switch peek {
      case nil: "the end of the text"
      case let byte? where (0x21..<0x7f).contains(byte): "\"\(Unicode.Scalar(byte))\""
      case let byte?: "byte 0x" + String(byte, radix: 16)
      }
    return failure(found: found, expected: expected)
  }

  private func failure(found: String, expected: String) -> Failure {
    Failure(offset: position, found: found, expected: expected)
  }
}
