/// Vocabulary and merges of a `tokenizer.json`.
struct VocabularyReader {
  /// The bytes that each id stands for.
  private(set) var texts: [Int32: [UInt8]] = [:]
  /// Ids by the bytes that they stand for.
  private var ids: [[UInt8]: Int32] = [:]
  /// Ids of entries that are written in other characters than those of bytes, by their text.
  private var foreign: [[UInt8]: Int32] = [:]
  private let reader: ConfigReader

  init(_ file: TokenizerFile) throws(CheckpointError) {
    guard let reader = try file.root.optionalObject("model") else {
      throw file.root.malformed("model", found: "nothing", expected: "an object")
    }
    self.reader = reader
    if reader.members["type"] != nil { try reader.require(type: ["BPE"], else: "BPE") }
    try reader.allow([
      "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
      "byte_fallback", "ignore_merges", "vocab", "merges",
    ])
    try Self.refuseUnsupported(reader)
    guard case .object(let entries)? = reader.value("vocab"), !entries.isEmpty else {
      throw reader.malformed(
        "vocab", found: reader.value("vocab")?.summary ?? "nothing",
        expected: "an object from token to id")
    }
    let vocabulary = ConfigReader(file: reader.file, members: entries, prefix: "model.vocab.")
    texts.reserveCapacity(entries.count)
    ids.reserveCapacity(entries.count)
    for key in entries.keys {
      let id = try vocabulary.tokenID(key)
      let bytes = ByteLevelAlphabet.bytes(of: key)
      guard texts.updateValue(bytes ?? Array(key.utf8), forKey: id) == nil else {
        throw reader.malformed(
          "vocab", found: "id \(id) a second time", expected: "each id once")
      }
      if let bytes { ids[bytes] = id } else { foreign[Array(key.utf8)] = id }
    }
  }

  private static func refuseUnsupported(_ reader: ConfigReader) throws(CheckpointError) {
    if let dropout = try reader.optionalPositive("dropout") {
      throw reader.malformed(
        "dropout", found: "\(dropout)", expected: "null: ids that are always the same",
        kind: .unsupported)
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = try reader.optionalString(key), !text.isEmpty {
        throw reader.malformed(
          key, found: CheckpointError.quoted(text), expected: "null or nothing", kind: .unsupported)
      }
    }
    if try reader.flag("byte_fallback", default: false) {
      throw reader.malformed(
        "byte_fallback", found: "true", expected: "a byte-level vocabulary", kind: .unsupported)
    }
  }

  /// The id of an added token's text where the vocabulary holds it too.
  func id(of content: [UInt8]) -> Int32? {
    guard let text = String(validating: content, as: UTF8.self) else { return nil }
    if let bytes = ByteLevelAlphabet.bytes(of: text) { return ids[bytes] }
    return foreign[content]
  }

  /// Whether an entry of the vocabulary and an added token's text are written alike.
  func isSame(_ entry: [UInt8], _ content: [UInt8]) -> Bool {
    String(validating: content, as: UTF8.self).flatMap { ByteLevelAlphabet.bytes(of: $0) } == entry
  }

  func model() throws(CheckpointError) -> BytePairModel {
    var unknown: Int32?
    if let text = try reader.optionalString("unk_token") {
      unknown = id(of: Array(text.utf8))
      guard unknown != nil else {
        throw reader.malformed(
          "unk_token", found: CheckpointError.quoted(text), expected: "a token of the vocabulary")
      }
    }
    let byteIDs = (0..<256).map { ids[[UInt8($0)]] ?? -1 }
    let wholes = try reader.flag("ignore_merges", default: false) ? ids : nil
    return BytePairModel(
      byteIDs: byteIDs, merges: try merges(), wholePieces: wholes, unknown: unknown,
      fusesUnknown: try reader.flag("fuse_unk", default: false))
  }

  private func merges() throws(CheckpointError) -> [UInt64: BytePairModel.Merge] {
    guard case .array(let entries)? = reader.value("merges") else {
      throw reader.malformed(
        "merges", found: reader.value("merges")?.summary ?? "nothing", expected: "a list of pairs")
    }
    var result: [UInt64: BytePairModel.Merge] = [:]
    result.reserveCapacity(entries.count)
    for (rank, entry) in entries.enumerated() {
      guard let pair = Self.pair(entry) else {
        throw reader.malformed(
          "merges[\(rank)]", found: entry.summary, expected: "\"left right\" or [left, right]")
      }
      guard let left = ByteLevelAlphabet.bytes(of: pair.0), let leftID = ids[left],
        let right = ByteLevelAlphabet.bytes(of: pair.1), let rightID = ids[right],
        let merged = ids[left + right]
      else {
        throw reader.malformed(
          "merges[\(rank)]", found: entry.summary,
          expected: "two tokens of the vocabulary that make a third")
      }
      // Of a pair that is there twice, the later entry counts, as in the tokenizers library.
      result[BytePairModel.pair(leftID, rightID)] = BytePairModel.Merge(
        rank: UInt32(rank), id: merged)
    }
    return result
  }

  private static func pair(_ entry: JSONValue) -> (Substring, Substring)? {
    switch entry {
    case .string(let text):
      let parts = text.split(separator: " ", omittingEmptySubsequences: false)
      return parts.count == 2 ? (parts[0], parts[1]) : nil
    case .array(let values):
      guard values.count == 2, case .string(let left) = values[0],
        case .string(let right) = values[1]
      else { return nil }
      return (left[...], right[...])
    default: return nil
    }
  }
}
