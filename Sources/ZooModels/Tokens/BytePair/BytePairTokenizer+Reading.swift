extension BytePairTokenizer {
  /// Reads the `tokenizer.json` at `path`.
  ///
  /// - Throws: `CheckpointError`: `missing` where there is no such file, `malformed` for a broken one,
  ///   `unsupported` for a part that this package does not know (named, with the list of known ones).
  public init(path: String) throws(CheckpointError) {
    let storage = try MappedFile(path: path)
    self = try storage.withBytes { bytes throws(CheckpointError) in
      try BytePairTokenizer(TokenizerFile(bytes, file: path))
    }
  }

  /// Reads the text of a `tokenizer.json`; `file` names it in errors.
  ///
  /// - Throws: as ``init(path:)``.
  public init(json: [UInt8], file: String) throws(CheckpointError) {
    var result: BytePairTokenizer?
    try json.withBuffer { buffer throws(CheckpointError) in
      result = try BytePairTokenizer(TokenizerFile(UnsafeRawBufferPointer(buffer), file: file))
    }
    guard let result else {
      throw CheckpointError(
        kind: .malformed, file: file, place: "", found: "nothing", expected: "an object")
    }
    self = result
  }

  private init(_ file: TokenizerFile) throws(CheckpointError) {
    composes = try file.composes()
    preTokenizer = try file.preTokenizer()
    try file.checkDecoder()
    template = try file.template()
    let vocabulary = try VocabularyReader(file)
    let added = try file.addedTokens()
    model = try vocabulary.model()
    var texts = vocabulary.texts
    for token in added {
      if let known = vocabulary.id(of: token.content), known != token.id {
        throw file.root.malformed(
          "added_tokens", found: "id \(token.id) for a text with id \(known) in the vocabulary",
          expected: "one id for a text")
      }
      if let other = texts.updateValue(token.content, forKey: token.id), other != token.content,
        !vocabulary.isSame(other, token.content)
      {
        throw file.root.malformed(
          "added_tokens", found: "id \(token.id) a second time", expected: "each id once")
      }
    }
    let (before, after) = template
    for id in before + after where Int32(exactly: id).flatMap({ texts[$0] }) == nil {
      throw file.root.malformed(
        "post_processor", found: "token id \(id)", expected: "an id of the vocabulary")
    }
    let composes = composes
    rawTokens = AddedTokenMatcher(added.filter { !$0.isNormalised })
    normalisedTokens = AddedTokenMatcher(
      added.filter(\.isNormalised).map { token in
        var token = token
        if composes { token.content = CanonicalComposition.composed(token.content) }
        return token
      })
    (tokenBytes, tokenStarts) = Self.flat(texts)
  }

  /// The bytes of all tokens in the order of their ids, and where each starts.
  private static func flat(_ texts: [Int32: [UInt8]]) -> ([UInt8], [Int32]) {
    var bytes: [UInt8] = []
    var starts: [Int32] = [0]
    let count = (texts.keys.max() ?? -1) + 1
    starts.reserveCapacity(Int(count) + 1)
    for id in 0..<count {
      if let text = texts[id] { bytes += text }
      starts.append(Int32(bytes.count))
    }
    return (bytes, starts)
  }
}
