/// A byte-level byte-pair tokenizer, as `tokenizer.json` of a GPT-2, Llama 3, Qwen or SmolLM folder
/// describes it. Every ill-formed byte of a text is a character of its own, neither letter, number nor
/// white space, so that any file is encoded, and decoded without loss where no normaliser changes it.
///
/// ```swift
/// let tokenizer = try BytePairTokenizer(path: "SmolLM2-135M/tokenizer.json")
/// let ids = tokenizer.encode("attention is all you need")
/// ```
public struct BytePairTokenizer: Tokenizer {
  let model: BytePairModel
  /// Whether text is composed canonically (NFC) first.
  let composes: Bool
  let preTokenizer: PreTokenizer
  /// Added tokens that are looked for in the text as it is.
  let rawTokens: AddedTokenMatcher
  /// Added tokens that are looked for after normalisation.
  let normalisedTokens: AddedTokenMatcher
  /// Ids that the template puts before and after a text.
  let template: (before: [Int], after: [Int])
  /// The bytes of all tokens, one after the other, and where each starts; empty for an id that the
  /// vocabulary lacks.
  let tokenBytes: [UInt8]
  let tokenStarts: [Int32]

  /// The file in a model folder.
  public static let fileName = "tokenizer.json"

  /// One more than the largest id.
  public var vocabularySize: Int { tokenStarts.count - 1 }

  /// The ids of `text`, without what the file's template puts around it. Added tokens, special ones
  /// included, are recognised in the text.
  public func encode(_ text: [UInt8]) -> [Int] {
    var result: [Int] = []
    var merger = PieceMerger(model)
    for part in rawTokens.parts(of: text) {
      if let token = part.token {
        result.append(Int(token))
        continue
      }
      let raw = Array(text[part.range])
      let section = composes ? CanonicalComposition.composed(raw) : raw
      for part in normalisedTokens.parts(of: section) {
        if let token = part.token {
          result.append(Int(token))
        } else {
          preTokenizer.pieces(of: Array(section[part.range])) { piece in
            merger.append(piece, to: &result)
          }
        }
      }
    }
    return result
  }

  /// The ids of a prompt: those of `text` between what the file's template puts around a single text,
  /// such as the token of the beginning.
  public func encode(prompt text: [UInt8]) -> [Int] {
    template.before + encode(text) + template.after
  }

  /// The bytes that `ids` stand for, added tokens as their text; an id outside the vocabulary stands
  /// for none.
  public func decode(_ ids: [Int]) -> [UInt8] {
    ids.flatMap { tokenBytes[range(of: $0)] }
  }

  /// The number of bytes that `id` stands for; 0 outside the vocabulary.
  public func byteCount(of id: Int) -> Int { range(of: id).count }

  private func range(of id: Int) -> Range<Int> {
    guard id >= 0, id < vocabularySize else { return 0..<0 }
    return Int(tokenStarts[id])..<Int(tokenStarts[id + 1])
  }
}
