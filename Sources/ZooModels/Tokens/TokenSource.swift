/// The tokens of an evaluation text.
public struct TokenSource: Sendable {
  /// The path of the text or of the ids, as the caller gave it.
  public let path: String
  /// Its token ids.
  public let ids: [Int]
  /// The bytes that each token stands for, what bits per byte divide by; nil for ids whose text is not
  /// known.
  public let byteCounts: [Int32]?

  /// The length of the text in bytes; nil where it is not known.
  public var byteCount: Int? { byteCounts?.reduce(0) { $0 + Int($1) } }

  /// Reads the text file at `path` and encodes it, without what a template puts around a prompt. Where a
  /// tokenizer normalises, bytes are counted after that.
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
    byteCounts = ids.map { Int32(tokenizer.byteCount(of: $0)) }
  }

  /// Reads a file of token ids: `.npy` (`<i4`, `<i8`, `<u2`, `<u4`, one dimension) or `.safetensors` with
  /// one such tensor.
  ///
  /// - Parameter tokenizer: tells the bytes of each token, where the model has one.
  /// - Throws: `CheckpointError` of kind `missing` where the file cannot be read, `malformed` for another
  ///   format, type or shape, or for an element that is no token id (naming its index).
  public init(
    tokenFile path: String, tokenizer: (any Tokenizer)? = nil
  ) throws(CheckpointError) {
    self.path = path
    let ids = try TokenArray.ids(path: path).map { Int($0) }
    self.ids = ids
    byteCounts = tokenizer.map { tokenizer in ids.map { Int32(tokenizer.byteCount(of: $0)) } }
  }

  /// Refuses ids that a model of `vocabulary` tokens does not have.
  ///
  /// - Throws: `CheckpointError` of kind `malformed`, naming the first such token.
  public func check(vocabulary: Int) throws(CheckpointError) {
    guard let index = ids.firstIndex(where: { $0 >= vocabulary }) else { return }
    throw CheckpointError(
      kind: .malformed, file: path, place: "token \(index)", found: "id \(ids[index])",
      expected: "less than \(vocabulary), the model's vocabulary")
  }
}
