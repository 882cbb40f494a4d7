/// The header of a safetensors file, read from its first bytes and fully checked: every tensor's
/// byte range matches its element type and shape, and the ranges tile the data without overlap,
/// gap or excess.
///
/// The format: 8 bytes little-endian header length, that many bytes of JSON
/// `{name: {dtype, shape, data_offsets: [begin, end]}, "__metadata__": {key: text}}`, then the data,
/// which the offsets count from. <https://huggingface.co/docs/safetensors>
struct SafetensorsHeader {
  /// One tensor of the header.
  struct Entry {
    let name: String
    let dtype: TensorDType
    let shape: [Int]
    let elementCount: Int
    /// Where its bytes lie, counted from the start of the file.
    let bytes: Range<Int>
  }

  /// The longest header that the format allows, in bytes.
  static let maximumLength = 100_000_000
  /// Bytes of the length field.
  static let prefixLength = 8
  /// The header's key that is not a tensor.
  static let metadataKey = "__metadata__"

  /// The tensors in the order of their bytes.
  let entries: [Entry]
  let metadata: [String: String]

  /// Reads and checks the header of the file whose bytes are `bytes`; `file` names it in errors.
  init(bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
    let dataStart = try Self.dataStart(bytes: bytes, file: file)
    let text = UnsafeRawBufferPointer(rebasing: bytes[Self.prefixLength..<dataStart])
    guard text.first == UInt8(ascii: "{") else {
      throw Self.malformed(
        file, "header",
        found: text.isEmpty ? "nothing" : "byte 0x" + String(text[0], radix: 16) + " at its start",
        expected: "an opening brace")
    }
    let root = try JSONParser.parse(text, file: file, place: "header", base: Self.prefixLength)
    guard case .object(let members) = root else {
      throw Self.malformed(file, "header", found: root.summary, expected: "an object")
    }
    var entries: [Entry] = []
    entries.reserveCapacity(members.count)
    var metadata: [String: String] = [:]
    for (name, value) in members.sorted(by: { $0.key < $1.key }) {
      if name == Self.metadataKey {
        metadata = try Self.metadata(value, file: file)
      } else {
        entries.append(
          try Self.entry(
            name: name, value: value, dataStart: dataStart, fileLength: bytes.count, file: file))
      }
    }
    // Empty tensors at the place of another come first, in the order of their names.
    entries.sort {
      ($0.bytes.lowerBound, $0.bytes.upperBound, $0.name)
        < ($1.bytes.lowerBound, $1.bytes.upperBound, $1.name)
    }
    try Self.checkTiling(entries, dataStart: dataStart, fileLength: bytes.count, file: file)
    self.entries = entries
    self.metadata = metadata
  }

  /// Reads the length field and returns where the data starts.
  private static func dataStart(
    bytes: UnsafeRawBufferPointer, file: String
  ) throws(CheckpointError) -> Int {
    guard bytes.count >= prefixLength else {
      throw malformed(
        file, "header length", found: "a file of \(bytes.count) bytes",
        expected: "at least \(prefixLength)")
    }
    let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(maximumLength) else {
      throw malformed(
        file, "header length", found: "\(length) bytes",
        expected: "at most \(maximumLength), the limit of the format")
    }
    guard Int(length) <= bytes.count - prefixLength else {
      throw malformed(
        file, "header length", found: "\(length) bytes",
        expected: "at most \(bytes.count - prefixLength), what the file holds after it")
    }
    return prefixLength + Int(length)
  }

  private static func metadata(
    _ value: JSONValue, file: String
  ) throws(CheckpointError) -> [String: String] {
    guard case .object(let members) = value else {
      throw malformed(file, metadataKey, found: value.summary, expected: "an object of strings")
    }
    var result: [String: String] = [:]
    for (key, member) in members.sorted(by: { $0.key < $1.key }) {
      guard case .string(let text) = member else {
        throw malformed(
          file, "\(metadataKey), key \(CheckpointError.quoted(key))", found: member.summary,
          expected: "a string")
      }
      result[key] = text
    }
    return result
  }

  private static func entry(
    name: String, value: JSONValue, dataStart: Int, fileLength: Int, file: String
  ) throws(CheckpointError) -> Entry {
    let place = tensorPlace(name)
    guard case .object(let members) = value else {
      throw malformed(file, place, found: value.summary, expected: "an object")
    }
    func member(_ key: String, _ expected: String) throws(CheckpointError) -> JSONValue {
      guard let value = members[key] else {
        throw malformed(file, "\(place), \(key)", found: "nothing", expected: expected)
      }
      return value
    }

    let dtypeValue = try member("dtype", "an element type")
    guard case .string(let dtypeName) = dtypeValue, let dtype = TensorDType(rawValue: dtypeName)
    else {
      throw malformed(
        file, "\(place), dtype", found: dtypeValue.summary,
        expected: "one of \(TensorDType.knownNames)")
    }

    let shapeValue = try member("shape", "a list of integers")
    guard let shape = naturals(shapeValue) else {
      throw malformed(
        file, "\(place), shape", found: describe(shapeValue),
        expected: "a list of integers from 0 up")
    }
    guard let (elementCount, byteCount) = dtype.byteCount(shape: shape) else {
      throw malformed(
        file, "\(place), shape", found: "\(describe(shapeValue)) of \(dtypeName)",
        expected: "a size below 2^63 bytes")
    }

    let offsetsValue = try member("data_offsets", "two integers")
    guard let offsets = naturals(offsetsValue), offsets.count == 2, offsets[0] <= offsets[1] else {
      throw malformed(
        file, "\(place), data_offsets", found: describe(offsetsValue),
        expected: "[begin, end] with 0 <= begin <= end")
    }
    guard offsets[1] - offsets[0] == byteCount else {
      throw malformed(
        file, "\(place), data_offsets",
        found: "\(describe(offsetsValue)), \(offsets[1] - offsets[0]) bytes",
        expected: "\(byteCount) bytes for \(dtypeName) \(describe(shapeValue))")
    }
    guard offsets[1] <= fileLength - dataStart else {
      throw malformed(
        file, "\(place), data_offsets", found: "an end at \(offsets[1])",
        expected: "at most \(fileLength - dataStart), the bytes of data in the file")
    }
    return Entry(
      name: name, dtype: dtype, shape: shape, elementCount: elementCount,
      bytes: dataStart + offsets[0]..<dataStart + offsets[1])
  }

  /// Checks that `entries`, sorted by place, cover the data from its start to its end exactly once.
  private static func checkTiling(
    _ entries: [Entry], dataStart: Int, fileLength: Int, file: String
  ) throws(CheckpointError) {
    var end = dataStart
    var previous = "the start of the data"
    for entry in entries {
      let start = entry.bytes.lowerBound
      guard start == end else {
        throw malformed(
          file, tensorPlace(entry.name),
          found: start < end
            ? "a start at \(start - dataStart), overlapping \(previous)"
            : "a start at \(start - dataStart), leaving a gap after \(previous)",
          expected: "\(end - dataStart)")
      }
      end = entry.bytes.upperBound
      previous = tensorPlace(entry.name)
    }
    guard end == fileLength else {
      throw malformed(
        file, "data", found: "\(fileLength - end) bytes after \(previous)",
        expected: "tensors to the end of the file")
    }
  }

  /// The list of integers from 0 up that `value` holds, or nil where it is anything else.
  private static func naturals(_ value: JSONValue) -> [Int]? {
    guard case .array(let values) = value else { return nil }
    var result: [Int] = []
    for case .integer(let extent) in values where extent >= 0 { result.append(extent) }
    return result.count == values.count ? result : nil
  }

  /// A short list in full, anything else in a few words.
  private static func describe(_ value: JSONValue) -> String {
    guard case .array(let values) = value, values.count <= 8 else { return value.summary }
    return "[" + values.map(\.summary).joined(separator: ", ") + "]"
  }

  /// How errors name a tensor.
  static func tensorPlace(_ name: String) -> String { "tensor \(CheckpointError.quoted(name))" }

  private static func malformed(
    _ file: String, _ place: String, found: String, expected: String
  ) -> CheckpointError {
    CheckpointError(kind: .malformed, file: file, place: place, found: found, expected: expected)
  }
}
