import Testing
import ZooModels

@Suite("A byte-level model reads bytes")
struct TokenTests {
  @Test("every byte is its own token, and comes back")
  func bytes() {
    let tokenizer = ByteTokenizer()
    let all = (0...255).map { UInt8($0) }
    #expect(tokenizer.encode(all) == (0...255).map { $0 })
    #expect(tokenizer.decode(tokenizer.encode(all)) == all)
    #expect(tokenizer.encode("é") == [0xc3, 0xa9])
    #expect(tokenizer.text([0xc3, 0xa9, 256, -1]) == "é")
    #expect(tokenizer.vocabularySize == 256)
  }

  @Test("an evaluation text is read whole")
  func text() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write([0x61, 0xff, 0x0a], to: "text")
    let source = try TokenSource(textFile: path, tokenizer: ByteTokenizer())
    #expect(source.ids == [0x61, 0xff, 0x0a])
    #expect(source.byteCount == 3)
    #expect(source.path == path)
  }

  @Test("an empty text is bad data, an absent one missing input")
  func refused() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write("", to: "text")
    let empty = try #require(throws: CheckpointError.self) {
      try TokenSource(textFile: path, tokenizer: ByteTokenizer())
    }
    #expect(empty.description == "\(path): found an empty text, expected at least one byte")
    #expect(empty.exitCode == 65)
    let absent = try #require(throws: CheckpointError.self) {
      try TokenSource(textFile: folder("absent"), tokenizer: ByteTokenizer())
    }
    #expect(absent.exitCode == 66)
  }
}
