import Foundation
import Testing
import ZooModels

/// What the `tokenizers` library made of a text (Benchmarks/Oracles/make_tokenizer_fixtures.py).
private struct TokenizerCase: Decodable {
  var text: String
  /// How often the text is repeated.
  var count: Int?
  /// The ids; of a repeated text only their number and hash.
  var ids: [Int]?
  var tokens: Int?
  var hash: String?
  /// The ids with the template's around them.
  var prompt: [Int]?
  /// What the library decodes the ids to.
  var decoded: String?

  var bytes: [UInt8] { Array(String(repeating: text, count: count ?? 1).utf8) }
}

/// A tokenizer's folder with its cases.
struct TokenizerFixture: Sendable, CustomTestStringConvertible {
  let folder: String
  let name: String
  var testDescription: String { name }

  /// All of them; `ZOO_TOKENIZERS` names another folder, such as one with fresh random cases.
  static let all: [TokenizerFixture] = {
    let own = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Fixtures/Tokenizers").standardizedFileURL.path
    let folder = ProcessInfo.processInfo.environment["ZOO_TOKENIZERS"] ?? own
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().map { TokenizerFixture(folder: folder + "/" + $0, name: $0) }
  }()

  var path: String { folder + "/tokenizer.json" }
}

@Suite("Byte-level BPE gives the ids of the tokenizers library")
struct TokenizerFixtureTests {
  @Test("the fixtures are there")
  func presence() {
    #expect(
      TokenizerFixture.all.map(\.name) == [
        "deepseek", "flags", "gpt2", "gpt2_prefix", "gpt_oss", "llama3", "qwen", "smollm",
      ])
  }

  @Test("adversarial text", arguments: TokenizerFixture.all)
  func adversarialText(_ fixture: TokenizerFixture) throws {
    let tokenizer = try BytePairTokenizer(path: fixture.path)
    let cases = try JSONDecoder().decode(
      [TokenizerCase].self,
      from: Data(contentsOf: URL(fileURLWithPath: fixture.folder + "/cases.json")))
    #expect(cases.count > 60)
    for example in cases {
      let shown = Comment(rawValue: "\(fixture.name) \(example.text.prefix(160).debugDescription)")
      let ids = tokenizer.encode(example.bytes)
      if let expected = example.ids {
        #expect(ids == expected, shown)
      } else {
        #expect(ids.count == example.tokens, shown)
        #expect(Self.hash(ids) == example.hash, shown)
      }
      if let prompt = example.prompt {
        #expect(tokenizer.encode(prompt: example.bytes) == prompt, shown)
      }
      // An added token in Latin-1 is read as bytes by the library's decoder, not by this one.
      if let decoded = example.decoded, fixture.name != "flags" {
        #expect(Array(tokenizer.text(ids).utf8) == Array(decoded.utf8), shown)
      }
      #expect(ids.reduce(0) { $0 + tokenizer.byteCount(of: $1) } == tokenizer.decode(ids).count)
    }
  }

  /// FNV-1a of 64 bits over the ids, as the script computes it.
  private static func hash(_ ids: [Int]) -> String {
    let state = ids.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3
    }
    let text = String(state, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }

  @Test("any bytes come back where nothing is normalised", arguments: ["gpt2", "llama3", "smollm"])
  func illFormedBytes(_ name: String) throws {
    let fixture = try #require(TokenizerFixture.all.first { $0.name == name })
    let tokenizer = try BytePairTokenizer(path: fixture.path)
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<300 {
      let count = Int.random(in: 0...60, using: &generator)
      let text = (0..<count).map { _ in
        Bool.random(using: &generator)
          ? UInt8.random(in: 0...255, using: &generator)
          : Array("a é1\n'\u{fe}".utf8).randomElement(using: &generator) ?? 0
      }
      #expect(tokenizer.decode(tokenizer.encode(text)) == text)
    }
  }

  @Test("an ill-formed byte stands among punctuation")
  func illFormedPieces() throws {
    let fixture = try #require(TokenizerFixture.all.first { $0.name == "gpt2" })
    let tokenizer = try BytePairTokenizer(path: fixture.path)
    // A cut sequence, an overlong one, a surrogate, and a byte that starts none.
    for bytes: [UInt8] in [[0xe2, 0x82], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xff]] {
      let alone = bytes.flatMap { tokenizer.encode([$0]) }
      #expect(alone.count == bytes.count)
      #expect(
        tokenizer.encode(Array("abc".utf8) + bytes + Array("abc".utf8))
          == tokenizer.encode("abc") + alone + tokenizer.encode("abc"))
    }
  }

  @Test("a long run costs no more a letter than a short one")
  func longRuns() throws {
    let fixture = try #require(TokenizerFixture.all.first { $0.name == "gpt2" })
    let tokenizer = try BytePairTokenizer(path: fixture.path)
    func seconds(_ count: Int) -> Double {
      let text = [UInt8](repeating: UInt8(ascii: "a"), count: count)
      let begin = ContinuousClock.now
      #expect(tokenizer.decode(tokenizer.encode(text)).count == count)
      return (ContinuousClock.now - begin) / .seconds(1)
    }
    _ = seconds(1_000)
    let short = (0..<5).map { _ in seconds(20_000) }.min() ?? 0
    let long = (0..<3).map { _ in seconds(320_000) }.min() ?? 0
    // Sixteen times the letters: a quadratic merge would take 256 times as long.
    #expect(long < 80 * short)
  }
}
