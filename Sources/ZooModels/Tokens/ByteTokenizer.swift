/// The tokenizer of a byte-level model: each byte is its own token, without special tokens.
public struct ByteTokenizer: Tokenizer {
  /// Makes the tokenizer.
  public init() {}

  /// 256.
  public var vocabularySize: Int { 256 }

  /// The bytes of `text` as ids.
  public func encode(_ text: [UInt8]) -> [Int] { text.map { Int($0) } }

  /// The ids as bytes; an id outside 0..<256 stands for none.
  public func decode(_ ids: [Int]) -> [UInt8] { ids.compactMap { UInt8(exactly: $0) } }
}
