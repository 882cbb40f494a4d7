import Testing
import ZooModels

@Suite("A tokenizer file that is not understood in full is refused")
struct TokenizerFileTests {
  private static let byteLevel =
    #"{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}"#

  /// A file with two letters and one merge, its parts replaced as a test asks.
  private func file(
    model: String =
      #"{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}"#,
    preTokenizer: String = byteLevel, rest: String = ""
  ) -> String {
    #"{"version":"1.0","pre_tokenizer":\#(preTokenizer),"model":\#(model)\#(rest)}"#
  }

  private func split(_ pattern: String, behavior: String = "Isolated") -> String {
    #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\#(pattern)"},"#
      + #""behavior":"\#(behavior)","invert":false},\#(Self.byteLevel)]}"#
  }

  private func read(_ text: String) throws(CheckpointError) -> BytePairTokenizer {
    try BytePairTokenizer(json: Array(text.utf8), file: "tokenizer.json")
  }

  @Test("a small one is read, merges in both forms")
  func reading() throws {
    #expect(try read(file()).encode("abab") == [2, 2])
    #expect(try read(file()).vocabularySize == 3)
    let pairs = #"{"vocab":{"a":0,"b":1,"ab":2},"merges":[["a","b"]]}"#
    #expect(try read(file(model: pairs)).encode("abab") == [2, 2])
    // A byte that the vocabulary lacks stands for nothing, or for the unknown token.
    #expect(try read(file()).encode("axb") == [2])
    let unknown = #"{"unk_token":"u","vocab":{"a":0,"b":1,"ab":2,"u":3},"merges":["a b"]}"#
    #expect(try read(file(model: unknown)).encode("axxab") == [0, 3, 3, 2])
    #expect(try read(file()).decode([2, 7, -1, 0]) == Array("aba".utf8))
  }

  @Test("the most frequent pair is merged first, not the first pair")
  func ranks() throws {
    let model =
      #"{"vocab":{"a":0,"b":1,"c":2,"bc":3,"ab":4,"abc":5},"merges":["b c","a b","a bc"]}"#
    #expect(try read(file(model: model)).encode("abc") == [5])
    #expect(try read(file(model: model)).encode("aba") == [4, 0])
  }

  @Test("a literal split, and parts that are removed")
  func splits() throws {
    let literal =
      #"{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"b"},"#
      + #""behavior":"Removed","invert":false},\#(Self.byteLevel)]}"#
    #expect(try read(file(preTokenizer: literal)).encode("aabab") == [0, 0, 0])
    #expect(try read(file(preTokenizer: split("[^a]"))).encode("ab") == [0, 1])
    #expect(try read(file(preTokenizer: split("a{1,2}b?"))).encode("aab") == [0, 2])
    #expect(try read(file(preTokenizer: split("a(?=b)"))).encode("abaab") == [0, 1, 0, 0, 1])
  }

  @Test("what changes ids and is not known")
  func unknown() throws {
    let vocabulary = #""vocab":{"a":0,"b":1,"ab":2}"#
    let bad: [(String, String)] = [
      ("", "a JSON value"),
      ("[]", "an object"),
      (#"{"version":"2.0"}"#, "version"),
      (file(rest: #","tricks":1"#), "key \"tricks\""),
      (file(rest: #","normalizer":{"type":"NFKC"}"#), "NFC, a Sequence of it, or null"),
      (file(rest: #","decoder":{"type":"WordPiece"}"#), "ByteLevel or null"),
      (file(rest: #","post_processor":{"type":"BertProcessing"}"#), "TemplateProcessing"),
      (file(preTokenizer: "null"), "byte-level BPE"),
      (file(preTokenizer: #"{"type":"Metaspace"}"#), "ByteLevel, Split, Digits"),
      (file(preTokenizer: #"{"type":"Digits","individual_digits":true}"#), "byte-level BPE"),
      (file(preTokenizer: split("a", behavior: "MergedWithNext")), "one of Isolated, Removed"),
      (file(model: #"{"type":"Unigram"}"#), "\"Unigram\", expected BPE"),
      (file(model: "{\(vocabulary)}"), "model.merges"),
      (file(model: "{\"merges\":[]}"), "model.vocab"),
      (file(model: "{\(vocabulary),\"merges\":[\"a  b\"]}"), "model.merges[0]"),
      (file(model: "{\(vocabulary),\"merges\":[\"b a\"]}"), "that make a third"),
      (file(model: "{\(vocabulary),\"merges\":[],\"dropout\":0.1}"), "model.dropout"),
      (file(model: "{\(vocabulary),\"merges\":[],\"byte_fallback\":true}"), "byte_fallback"),
      (file(model: "{\(vocabulary),\"merges\":[],\"end_of_word_suffix\":\"w\"}"), "suffix"),
      (file(model: "{\(vocabulary),\"merges\":[],\"unk_token\":\"u\"}"), "model.unk_token"),
      (file(model: #"{"vocab":{"a":0,"b":0},"merges":[]}"#), "id 0 a second time"),
      (file(model: #"{"vocab":{"a":-1},"merges":[]}"#), "a token id from 0"),
      (file(model: #"{"vocab":{"a":99999999},"merges":[]}"#), "a token id from 0"),
      (file(rest: #","added_tokens":[{"id":2,"content":"x"}]"#), "id 2 a second time"),
      (file(rest: #","added_tokens":[{"id":9,"content":"ab"}]"#), "one id for a text"),
      (file(rest: #","added_tokens":[{"id":9,"content":""}]"#), "added_tokens[0].content"),
      (file(rest: #","added_tokens":[{"id":9,"content":"x","odd":1}]"#), "added_tokens[0].odd"),
      (
        file(
          rest: #","post_processor":{"type":"TemplateProcessing","#
            + #""single":[{"SpecialToken":{"id":"s","type_id":0}},{"Sequence":{"id":"A"}}],"#
            + #""special_tokens":{"s":{"id":"s","ids":[9223372036854775807],"tokens":["s"]}}}"#),
        "token id 9223372036854775807"
      ),
    ]
    for (text, expected) in bad {
      let error = try #require(throws: CheckpointError.self) { try read(text) }
      #expect(
        error.description.hasPrefix("tokenizer.json: ") && error.description.contains(expected),
        Comment(rawValue: "\(text): \(error)"))
      #expect(error.exitCode == 65)
    }
  }

  @Test(
    "a pattern beyond what pre-tokenizers use",
    arguments: [
      "^a", "a$", "a.b", "a*?", "a++", "(ab)+", "(a|b)*", "\\\\w+", "\\\\bx", "a*", "(?<=a)b",
      "[[a]]",
      "[a&&b]", "[b-a]", "[]", "(a", "a)", "\\\\p{Han}", "(?i:[a-z])", "(?i:ss)", "a{3,1}",
      "a{9999}",
      "(?>a)", "\\\\", "[a", "a{", "((((((((((a))))))))))",
    ])
  func patterns(_ pattern: String) throws {
    let error = try #require(throws: CheckpointError.self) {
      try read(file(preTokenizer: split(pattern)))
    }
    #expect(error.description.contains("pattern.Regex"), Comment(rawValue: error.description))
    #expect(error.kind == .unsupported)
  }
}
