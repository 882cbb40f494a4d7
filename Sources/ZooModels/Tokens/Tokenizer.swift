/// Turns text into token ids and back. Text is bytes here, so that any file can be read and written
/// without loss.
public protocol Tokenizer: Sendable {
  /// How many ids there are; ids run from 0 to this, exclusively.
  var vocabularySize: Int { get }

  /// The ids of `text`.
  func encode(_ text: [UInt8]) -> [Int]

  /// The ids of `text` as the beginning of what a model continues.
  func encode(prompt text: [UInt8]) -> [Int]

  /// The bytes that `ids` stand for; an id outside the vocabulary stands for none.
  func decode(_ ids: [Int]) -> [UInt8]

  /// The number of bytes that `id` stands for; 0 outside the vocabulary.
  func byteCount(of id: Int) -> Int
}

extension Tokenizer {
  /// The ids of `text` in UTF-8.
  public func encode(_ text: String) -> [Int] { encode(Array(text.utf8)) }

  /// The ids of `text`, with nothing around them.
  public func encode(prompt text: [UInt8]) -> [Int] { encode(text) }

  /// The length of what `id` decodes to.
  public func byteCount(of id: Int) -> Int { decode([id]).count }

  /// The text that `ids` stand for; bytes that are not UTF-8 become replacement characters.
  public func text(_ ids: [Int]) -> String { String(decoding: decode(ids), as: UTF8.self) }
}
