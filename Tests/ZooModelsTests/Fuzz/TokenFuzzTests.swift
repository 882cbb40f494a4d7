import Foundation
import Testing
import ZooModels

@Suite(
  "A mutated tokenizer or file of ids is read or refused, and never ends the process", .serialized)
struct TokenFuzzTests {
  /// Small files that use every part which is known.
  private static let tokenizers: [[UInt8]] = [
    #"""
    {"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":6,"content":"<s>",
    "single_word":false,"lstrip":true,"rstrip":false,"normalized":false,"special":true},
    {"id":7,"content":"é","normalized":true,"single_word":true,"rstrip":true}],
    "normalizer":{"type":"NFC"},"pre_tokenizer":{"type":"Sequence","pretokenizers":[
    {"type":"Split","pattern":{"Regex":"(?i:'s|'t)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"},
    "behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,
    "trim_offsets":true,"use_regex":false}]},"post_processor":{"type":"TemplateProcessing",
    "single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
    "pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[6],"tokens":["<s>"]}}},
    "decoder":{"type":"ByteLevel"},"model":{"type":"BPE","dropout":null,"unk_token":null,
    "continuing_subword_prefix":null,"end_of_word_suffix":null,"fuse_unk":false,
    "byte_fallback":false,"ignore_merges":true,"vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"Ġab":4,"Ċ":5},
    "merges":[["a","b"],["Ġ","ab"]]}}
    """#,
    #"""
    {"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"Sequence",
    "pretokenizers":[{"type":"Digits","individual_digits":true},{"type":"Split",
    "pattern":{"String":"b"},"behavior":"Removed","invert":true},{"type":"ByteLevel",
    "add_prefix_space":true,"use_regex":true}]},"post_processor":null,"decoder":null,
    "model":{"unk_token":"u","fuse_unk":true,"vocab":{"a":0,"b":1,"ab":2,"u":3,"ba":4,"aba":5},
    "merges":["a b","b a","ab a"]}}
    """#,
    #"""
    {"version":"1.0","pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split",
    "pattern":{"Regex":"[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'re)?|[a-z\\-]+(?=x)|\\s+\\s*|."},
    "behavior":"Isolated"},{"type":"ByteLevel","use_regex":false}]},
    "model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]}}
    """#.replacingOccurrences(of: "|.\"", with: "|\\\\S\""),
  ].map { Array($0.replacingOccurrences(of: "\n", with: "").utf8) }

  private static let texts: [[UInt8]] = [
    [], Array("abab ab\n\n  ab's <s> é 12345 AbX-x Ünï \u{3000}".utf8),
    Array(String(repeating: " ", count: 400).utf8) + Array("a".utf8),
    Array(String(repeating: "ab", count: 300).utf8), [0xff, 0x61, 0xe2, 0x82, 0x00, 0xc0],
  ]

  @Test("tokenizer.json")
  func tokenizers() throws {
    try FuzzRun("tokenizer", cases: 6_000).run { mutator in
      let file = mutator.mutate(mutator.pick(Self.tokenizers))
      return try accepts("tokenizer.json") {
        let tokenizer = try BytePairTokenizer(json: file, file: "tokenizer.json")
        for text in Self.texts {
          let ids = tokenizer.encode(prompt: text)
          #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains($0) })
          #expect(
            tokenizer.decode(ids).count == ids.reduce(0) { $0 + tokenizer.byteCount(of: $1) })
        }
      }
    }
  }

  @Test("a pattern that backtracks without end is bounded")
  func backtracking() throws {
    let pattern = String(repeating: #"\\s*"#, count: 12) + "x"
    let file =
      #"{"version":"1.0","pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","#
      + #""pattern":{"Regex":"\#(pattern)"},"behavior":"Isolated"},{"type":"ByteLevel"}]},"#
      + #""model":{"vocab":{"Ġ":0},"merges":[]}}"#
    let tokenizer = try BytePairTokenizer(json: Array(file.utf8), file: "tokenizer.json")
    let begin = ContinuousClock.now
    #expect(tokenizer.encode([UInt8](repeating: 0x20, count: 1_000)).count == 1_000)
    #expect(ContinuousClock.now - begin < .seconds(5))
  }

  @Test("files of token ids")
  func tokenFiles() throws {
    let folder = try TemporaryFolder()
    let data = littleEndian([0, 7, 2, 300, 5] as [Int32])
    let array = numPyBytes("{'descr': '<i4', 'fortran_order': False, 'shape': (5,), }    \n", data)
    let header = Array(#"{"ids":{"dtype":"I32","shape":[5],"data_offsets":[0,20]}}"#.utf8)
    try FuzzRun("ids", cases: 4_000).run { mutator in
      let isArray = mutator.chance(2)
      let path: String
      if isArray {
        path = try folder.write(mutator.mutate(array), to: "ids.npy")
      } else {
        let mutated = mutator.mutate(header)
        let bytes = lengthField(UInt64(mutated.count)) + mutated + data
        mutator.keep(bytes)
        path = try folder.write(bytes, to: "ids.safetensors")
      }
      return try accepts(path) {
        let source = try TokenSource(tokenFile: path, tokenizer: ByteTokenizer())
        #expect(source.ids.allSatisfy { $0 >= 0 })
      }
    }
  }
}
