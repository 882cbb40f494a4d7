import Testing
import ZooModels

/// One broken file and the line that must be printed for it.
struct HostileFile: Sendable, CustomTestStringConvertible {
  let name: String
  let bytes: [UInt8]
  /// The error after the file's path and ": ".
  let message: String

  var testDescription: String { name }

  init(_ name: String, bytes: [UInt8], _ message: String) {
    self.name = name
    self.bytes = bytes
    self.message = message
  }

  init(_ name: String, header: String, dataLength: Int = 8, _ message: String) {
    self.init(name, bytes: safetensorsBytes(header: header, dataLength: dataLength), message)
  }

  /// A header with one tensor `a` whose entry is `entry`.
  init(_ name: String, entry: String, dataLength: Int = 8, _ message: String) {
    self.init(name, header: "{\"a\":\(entry)}", dataLength: dataLength, message)
  }
}

private let dtypes =
  "F64, F32, F16, BF16, F8_E4M3, F8_E5M2, F8_E8M0, I64, I32, I16, I8, U64, U32, U16, U8, BOOL"

private func tensors(_ entries: (String, begin: Int, end: Int)...) -> String {
  "{"
    + entries.map {
      "\"\($0.0)\":{\"dtype\":\"U8\",\"shape\":[\($0.end - $0.begin)],"
        + "\"data_offsets\":[\($0.begin),\($0.end)]}"
    }.joined(separator: ",") + "}"
}

@Suite("A broken safetensors file is refused by one line that names the place")
struct HostileSafetensorsTests {
  static let lengths: [HostileFile] = [
    HostileFile(
      "empty file", bytes: [], "header length: found a file of 0 bytes, expected at least 8"),
    HostileFile(
      "seven bytes", bytes: Array(repeating: 0, count: 7),
      "header length: found a file of 7 bytes, expected at least 8"),
    HostileFile(
      "length past the end", bytes: lengthField(100) + Array("{}".utf8),
      "header length: found 100 bytes, expected at most 2, what the file holds after it"),
    HostileFile(
      "a header of gigabytes", bytes: lengthField(5_000_000_000) + Array("{}".utf8),
      "header length: found 5000000000 bytes, expected at most 100000000, the limit of the format"),
    HostileFile(
      "a length of all ones", bytes: lengthField(.max) + Array("{}".utf8),
      "header length: found 18446744073709551615 bytes, expected at most 100000000, "
        + "the limit of the format"),
    HostileFile(
      "an empty header", bytes: lengthField(0), "header: found nothing, expected an opening brace"),
  ]

  static let syntax: [HostileFile] = [
    HostileFile(
      "not JSON", header: "hello",
      "header: found byte 0x68 at its start, expected an opening brace"),
    HostileFile(
      "a list", header: "[]", "header: found byte 0x5b at its start, expected an opening brace"),
    HostileFile(
      "cut short", header: "{\"a\":{\"dtype\":\"F32\"",
      "header, byte 27: found the end of the text, expected a comma or a closing brace"),
    HostileFile(
      "text after it", header: "{} x",
      "header, byte 11: found \"x\", expected the end of the text"),
    HostileFile(
      "not UTF-8",
      bytes: safetensorsBytes(
        headerBytes: Array("{\"".utf8) + [0xff, 0xfe] + Array("\":1}".utf8), dataLength: 0),
      "header, byte 9: found a string that is not UTF-8, expected UTF-8 text"),
    HostileFile(
      "nested without end", header: "{\"a\":" + String(repeating: "[", count: 200_000),
      "header, byte 76: found deeper nesting, expected JSON of at most 64 levels"),
    HostileFile(
      "a name twice", header: "{\"a\":{},\"a\":{}}",
      "header, byte 16: found a second entry \"a\", expected each name once"),
    HostileFile(
      "a key twice", entry: "{\"dtype\":\"F32\",\"dtype\":\"F16\"}",
      "header, byte 28: found a second entry \"dtype\", expected each name once"),
    HostileFile(
      "a number beyond doubles", entry: "1e999",
      "header, byte 13: found the number \"1e999\", expected one within the range of a double"),
    HostileFile(
      "a lone surrogate", header: "{\"\\ud800\":1}",
      "header, byte 16: found \"\"\", expected a pair of surrogates"),
  ]

  static let entries: [HostileFile] = [
    HostileFile("no object", entry: "7", "tensor \"a\": found 7, expected an object"),
    HostileFile(
      "no dtype", entry: "{\"shape\":[2],\"data_offsets\":[0,8]}",
      "tensor \"a\", dtype: found nothing, expected an element type"),
    HostileFile(
      "no shape", entry: "{\"dtype\":\"F32\",\"data_offsets\":[0,8]}",
      "tensor \"a\", shape: found nothing, expected a list of integers"),
    HostileFile(
      "no offsets", entry: "{\"dtype\":\"F32\",\"shape\":[2]}",
      "tensor \"a\", data_offsets: found nothing, expected two integers"),
    HostileFile(
      "unknown dtype", entry: "{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}",
      "tensor \"a\", dtype: found \"F33\", expected one of \(dtypes)"),
    HostileFile(
      "dtype of another type", entry: "{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}",
      "tensor \"a\", dtype: found 32, expected one of \(dtypes)"),
    HostileFile(
      "negative shape", entry: "{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}",
      "tensor \"a\", shape: found [-2], expected a list of integers from 0 up"),
    HostileFile(
      "fractional shape", entry: "{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}",
      "tensor \"a\", shape: found [2.0], expected a list of integers from 0 up"),
    HostileFile(
      "overflowing shape",
      entry: "{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}",
      "tensor \"a\", shape: found [4294967296, 4294967296] of F32, "
        + "expected a size below 2^63 bytes"),
    HostileFile(
      "overflowing bytes",
      entry: "{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,8]}",
      "tensor \"a\", shape: found [2305843009213693952] of F64, expected a size below 2^63 bytes"),
    HostileFile(
      "an extent beyond 64 bits",
      entry: "{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}",
      "tensor \"a\", shape: found [1e+20], expected a list of integers from 0 up"),
    HostileFile(
      "three offsets", entry: "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,8]}",
      "tensor \"a\", data_offsets: found [0, 8, 8], expected [begin, end] with 0 <= begin <= end"),
    HostileFile(
      "offsets turned round", entry: "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}",
      "tensor \"a\", data_offsets: found [8, 0], expected [begin, end] with 0 <= begin <= end"),
    HostileFile(
      "negative offsets", entry: "{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}",
      "tensor \"a\", data_offsets: found [-8, 0], expected [begin, end] with 0 <= begin <= end"),
    HostileFile(
      "range of another size", entry: "{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[0,8]}",
      "tensor \"a\", data_offsets: found [0, 8], 8 bytes, expected 4 bytes for F16 [2]"),
    HostileFile(
      "half-downloaded", entry: "{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}",
      "tensor \"a\", data_offsets: found an end at 16, expected at most 8, "
        + "the bytes of data in the file"),
    HostileFile(
      "range at the end of 64 bits",
      entry: "{\"dtype\":\"U8\",\"shape\":[1],"
        + "\"data_offsets\":[9223372036854775806,9223372036854775807]}",
      "tensor \"a\", data_offsets: found an end at 9223372036854775807, expected at most 8, "
        + "the bytes of data in the file"),
    HostileFile(
      "a name with a line break", header: "{\"a\\nb\\u001b[31m\":7}",
      "tensor \"a\\u{a}b\\u{1b}[31m\": found 7, expected an object"),
  ]

  static let tiling: [HostileFile] = [
    HostileFile(
      "overlap", header: tensors(("a", 0, 6), ("b", 4, 8)),
      "tensor \"b\": found a start at 4, overlapping tensor \"a\", expected 6"),
    HostileFile(
      "the same bytes twice", header: tensors(("a", 0, 8), ("b", 0, 8)),
      "tensor \"b\": found a start at 0, overlapping tensor \"a\", expected 8"),
    HostileFile(
      "a gap", header: tensors(("a", 0, 2), ("b", 4, 8)),
      "tensor \"b\": found a start at 4, leaving a gap after tensor \"a\", expected 2"),
    HostileFile(
      "a gap at the start", header: tensors(("a", 1, 8)),
      "tensor \"a\": found a start at 1, leaving a gap after the start of the data, expected 0"),
    HostileFile(
      "an empty tensor inside another", header: tensors(("a", 0, 8), ("e", 4, 4)),
      "tensor \"e\": found a start at 4, overlapping tensor \"a\", expected 8"),
    HostileFile(
      "bytes left over", header: tensors(("a", 0, 6)),
      "data: found 2 bytes after tensor \"a\", expected tensors to the end of the file"),
    HostileFile(
      "data without tensors", header: "{}",
      "data: found 8 bytes after the start of the data, expected tensors to the end of the file"),
    HostileFile(
      "metadata of another type", header: "{\"__metadata__\":[]}", dataLength: 0,
      "__metadata__: found a list of 0, expected an object of strings"),
    HostileFile(
      "metadata value of another type", header: "{\"__metadata__\":{\"k\":1}}", dataLength: 0,
      "__metadata__, key \"k\": found 1, expected a string"),
  ]

  @Test(arguments: lengths + syntax + entries + tiling)
  func isRefused(_ file: HostileFile) throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(file.bytes, to: "model.safetensors")
    let error = try #require(throws: CheckpointError.self) { try Safetensors(path: path) }
    #expect(error.description == "\(path): \(file.message)")
    #expect(error.exitCode == 65)
    #expect(!error.description.contains { $0.isNewline })
  }

  @Test("what is no readable file is missing input")
  func missingInput() throws {
    let folder = try TemporaryFolder()
    let absent = try #require(throws: CheckpointError.self) {
      try Safetensors(path: folder("absent"))
    }
    #expect(
      absent.description == "\(folder("absent")): found no such file, expected a readable file")
    #expect(absent.exitCode == 66)
    let directory = try #require(throws: CheckpointError.self) {
      try Safetensors(path: folder.path)
    }
    #expect(directory.description == "\(folder.path): found a folder, expected a readable file")
    #expect(directory.exitCode == 66)
  }

  @Test("a header of millions of values costs bounded memory and is refused")
  func manyValues() throws {
    let folder = try TemporaryFolder()
    let header = "{\"a\":[" + String(repeating: "0,", count: 5_000_000) + "0]}"
    let path = try folder.write(
      safetensorsBytes(header: header, dataLength: 0), to: "model.safetensors")
    let error = try #require(throws: CheckpointError.self) { try Safetensors(path: path) }
    #expect(
      error.description
        == "\(path): header, byte 8000010: found more values, "
        + "expected JSON of at most 4000000 values")
  }
}
