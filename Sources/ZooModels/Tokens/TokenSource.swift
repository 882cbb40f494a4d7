/// The tokens of an evaluation text.
public struct TokenSource: Sendable {
  /// The path of the text, as the caller gave it.
  public let path: String
  /// Its token ids.
  public let ids: [Int]
  /// Its length in bytes: what bits per byte divide by.
  public let byteCount: Int

  /// Reads the text file at `path` and encodes it.
  ///
  /// - Throws: `CheckpointError` of kind `missing` where the file cannot be read, `malformed` where it is
  ///   empty.
  public init(textFile path: String, tokenizer: some Tokenizer) throws(CheckpointError) {
    let storage = try MappedFile(path: path)
    guard storage.count > 0 else {
      throw CheckpointError(
        kind: .malformed, file: path, place: "", found: "an empty text",
        expected: "at least one byte")
    }
    self.path = path
    ids = try storage.withBytes { bytes in tokenizer.encode(Array(bytes)) }
    byteCount = storage.count
  }
}
