import Testing
import ZooModels

/// A `.npy` file of format 1.0 with `header` as its dictionary.
func numPyBytes(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
  let length = UInt32(header.utf8.count)
  let field = (0..<(version == 1 ? 2 : 4)).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
  return [0x93] + Array("NUMPY".utf8) + [version, 0] + field + Array(header.utf8) + data
}

/// `values` as little-endian bytes.
func littleEndian<Value: FixedWidthInteger>(_ values: [Value]) -> [UInt8] {
  values.flatMap { value in
    (0..<Value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }
}

@Suite("Token ids are read from the files of other tools")
struct TokenFileTests {
  private static let values: [Int] = [0, 7, 65_535, 1]

  private func header(_ type: String, _ count: Int) -> String {
    "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(count),), }       \n"
  }

  @Test("every integer type of a .npy file, of every version")
  func numPy() throws {
    let folder = try TemporaryFolder()
    let data: [(String, [UInt8])] = [
      ("<i4", littleEndian(Self.values.map { Int32($0) })),
      ("<i8", littleEndian(Self.values.map { Int64($0) })),
      ("<u2", littleEndian(Self.values.map { UInt16($0) })),
      ("<u4", littleEndian(Self.values.map { UInt32($0) })),
    ]
    for (type, bytes) in data {
      for version: UInt8 in 1...3 {
        let path = try folder.write(
          numPyBytes(header(type, 4), bytes, version: version), to: "ids.npy")
        let source = try TokenSource(tokenFile: path)
        #expect(source.ids == Self.values)
        #expect(source.byteCount == nil, "the text is not known")
        #expect(try TokenSource(tokenFile: path, tokenizer: ByteTokenizer()).byteCount == 3)
      }
    }
  }

  @Test("one tensor of one dimension")
  func safetensors() throws {
    let folder = try TemporaryFolder()
    func write(_ header: String, _ data: [UInt8]) throws -> String {
      try folder.write(
        lengthField(UInt64(header.utf8.count)) + Array(header.utf8) + data, to: "ids.safetensors")
    }
    for (type, bytes) in [
      ("I64", littleEndian(Self.values.map { Int64($0) })),
      ("U16", littleEndian(Self.values.map { UInt16($0) })),
    ] {
      let path = try write(
        #"{"x":{"dtype":"\#(type)","shape":[4],"data_offsets":[0,\#(bytes.count)]}}"#, bytes)
      #expect(try TokenSource(tokenFile: path).ids == Self.values)
    }
    let bad: [(String, String)] = [
      (#"{"x":{"dtype":"I32","shape":[2,1],"data_offsets":[0,8]}}"#, "one dimension"),
      (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, "I32, I64, U16 or U32"),
      (
        #"{"x":{"dtype":"I32","shape":[1],"data_offsets":[0,4]},"#
          + #""y":{"dtype":"I32","shape":[1],"data_offsets":[4,8]}}"#, "one tensor"
      ),
    ]
    for (header, expected) in bad {
      let path = try write(header, [UInt8](repeating: 0, count: 8))
      let error = try #require(throws: CheckpointError.self) { try TokenSource(tokenFile: path) }
      #expect(error.description.hasPrefix(path) && error.description.contains(expected))
      #expect(error.exitCode == 65)
    }
  }

  @Test("what is no list of ids is refused at its place")
  func refused() throws {
    let folder = try TemporaryFolder()
    let ids = littleEndian([1, 2] as [Int32])
    let bad: [([UInt8], String)] = [
      ([], "an empty file"),
      (Array("1 2 3".utf8), "another kind of file"),
      ([0x93] + Array("NUMPY".utf8), "header: found a file of 6 bytes"),
      (numPyBytes(header("<i4", 2), ids, version: 4), "version: found 4.0"),
      (numPyBytes(header(">i4", 2), ids), "descr: found \">i4\""),
      (numPyBytes(header("<f4", 2), ids), "descr: found \"<f4\""),
      (numPyBytes(header("<i4", 3), ids), "shape: found (3,)"),
      (numPyBytes(header("<i4", 2), ids + [0]), "the 9 bytes"),
      (numPyBytes(header("<i8", 1_152_921_504_606_846_976), ids), "shape"),
      (numPyBytes(header("<i4", 2).replacing("False", with: "True"), ids), "fortran_order"),
      (numPyBytes(header("<i4", 2).replacing("(2,)", with: "(2, 1)"), ids), "one dimension"),
      (numPyBytes("{'descr': '<i4'}", ids), "fortran_order: found nothing"),
      (numPyBytes("{'descr': '<i4', 'descr': '<i4'}", ids), "header"),
      (numPyBytes("nonsense", ids), "header: found \"nonsense\""),
      (numPyBytes(header("<i4", 2), littleEndian([1, -2] as [Int32])), "index 1: found -2"),
      (numPyBytes(header("<i8", 1), littleEndian([1 << 40] as [Int64])), "index 0: found 10995"),
    ]
    for (bytes, expected) in bad {
      let path = try folder.write(bytes, to: "ids.npy")
      let error = try #require(throws: CheckpointError.self) { try TokenSource(tokenFile: path) }
      #expect(
        error.description.hasPrefix(path) && error.description.contains(expected),
        Comment(rawValue: error.description))
      #expect(error.exitCode == 65)
    }
    #expect(
      try #require(throws: CheckpointError.self) {
        try TokenSource(tokenFile: folder("absent.npy"))
      }.exitCode == 66)
  }

  @Test("an id outside the vocabulary is named with its place")
  func vocabulary() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(
      numPyBytes(header("<i4", 2), littleEndian([1, 300] as [Int32])), to: "ids.npy")
    let source = try TokenSource(tokenFile: path)
    try source.check(vocabulary: 301)
    let error = try #require(throws: CheckpointError.self) { try source.check(vocabulary: 300) }
    #expect(
      error.description
        == "\(path): token 1: found id 300, expected less than 300, the model's vocabulary")
  }
}
