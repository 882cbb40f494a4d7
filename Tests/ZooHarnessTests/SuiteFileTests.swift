import AttentionCore
import Foundation
import Testing
import ZooHarness
import ZooLinearAlgebra

@Suite("Suite files")
struct SuiteFileTests {
  private func parse(_ text: String) throws -> ZooHarness.Suite {
    try Sample.reader.parse(text, file: "s.yaml")
  }

  private func refusal(_ text: String) -> HarnessError? {
    do {
      _ = try parse(text)
      return nil
    } catch {
      return error as? HarnessError
    }
  }

  private let smallest = """
    name: small
    geometry: tiny
    variants: [mha]
    attention: {contexts: [16], batches: [1]}
    """

  @Test("every key is read")
  func everyKey() throws {
    let suite = try parse(
      """
      name: all
      geometry: tiny
      variants: [mha, "gqa:2/swa:8", mla:16+8]
      weights: bf16
      cache: paged
      page_size: 8
      threads: 2
      seed: 7
      memory_fraction: 0.5
      limits: {steps: 5, seconds: 0.5, warm_up: 3}
      tail: {contexts: [64], batches: [2], steps: 1000, seconds: 9}
      attention: {contexts: [1k, 64], batches: [1, 2]}
      step: {contexts: [2k], batches: [4], prefill_tokens: 256}
      max_batch: {budget: weights+4GiB, contexts: [8k], seconds_per_child: 10}
      fidelity: {model: embedded, variants: [mha, mqa], segments: 3}
      """)
    #expect(suite.name == "all")
    #expect(suite.geometry.name == "tiny")
    #expect(suite.variants.map(\.notation) == ["mha", "gqa:2/swa:8", "mla:16+8"])
    #expect(suite.weights == .bfloat16)
    #expect(suite.storage == .paged(pageTokens: 8))
    #expect(suite.threads == 2)
    #expect(suite.seed == 7)
    #expect(suite.memoryFraction == 0.5)
    #expect(suite.limits == Suite.Limits(steps: 5, seconds: 0.5, warmUp: 3))
    #expect(
      suite.limits(context: 64, batch: 2) == Suite.Limits(steps: 1_000, seconds: 9, warmUp: 3))
    #expect(suite.limits(context: 1_024, batch: 2) == suite.limits)
    #expect(suite.attention == Suite.Grid(contexts: [1_024, 64], batches: [1, 2]))
    #expect(suite.step == Suite.Grid(contexts: [2_048], batches: [4]))
    #expect(suite.prefillTokens == 256)
    #expect(
      suite.maxBatch
        == Suite.MaxBatch(
          budget: .weightsPlus(4 << 30), contexts: [8_192], secondsPerChild: 10))
    #expect(suite.fidelity?.variants.map(\.notation) == ["mha", "mqa"])
    #expect(suite.fidelity?.segments == 3)
  }

  @Test("a model gives shape and weights, and own stands for its own variant")
  func model() throws {
    let suite = try parse(
      """
      name: quality
      model: embedded
      variants: [own, own@int8, mqa]
      step: {contexts: [64], batches: [1]}
      fidelity:
        variants: [own@f32, "own@int8:int4"]
        tokens: ids.npy
        against: ./original
        kind: healed
      """)
    #expect(suite.model == "embedded" && suite.geometry.name == "embedded")
    #expect(suite.variants.map(\.notation) == ["mha", "mha@int8", "mqa"])
    let fidelity = try #require(suite.fidelity)
    #expect(fidelity.model == "embedded", "the suite's model unless the section names another")
    #expect(fidelity.variants.map(\.notation) == ["mha@f32", "mha@int8:int4"])
    #expect(fidelity.tokens == "ids.npy" && fidelity.against == "./original")
    #expect(fidelity.kind == .healed)
    let bad = [
      ("geometry: tiny\nmodel: embedded", "geometry or model, not both"),
      ("model: ./absent", "absent/config.json"),
      (
        "model: embedded\nfidelity: {variants: [own], text: a, tokens: b}",
        "text or tokens, not both"
      ),
      ("model: embedded\nfidelity: {variants: [own], kind: good}", "trained, healed"),
      ("model: embedded\nfidelity: {variants: [own@int9]}", "int9"),
    ]
    for (lines, expected) in bad {
      let refused = try #require(refusal("name: x\n" + lines))
      #expect(refused.message.contains(expected), Comment(rawValue: refused.message))
      #expect(refused.exitCode == 65)
    }
  }

  @Test("a key that is not there leaves the value that flags would leave")
  func defaults() throws {
    let flags = Suite(
      name: "small", geometry: try parse(smallest).geometry,
      variants: [try AxisRegistry.standard.variant("mha")],
      attention: Suite.Grid(contexts: [16], batches: [1]))
    #expect(try parse(smallest) == flags)
  }

  @Test("an unknown key is refused with its line and the known ones")
  func unknownKeys() throws {
    let error = try #require(refusal(smallest + "\nbatchs: [1]"))
    #expect(error.exitCode == 65)
    #expect(error.message.hasPrefix("s.yaml:5: unknown key \"batchs\""))
    #expect(error.message.contains("variants, weights, cache"))
    let inner = try #require(refusal(smallest + "\nlimits: {step: 3}"))
    #expect(inner.message.contains("unknown key \"step\" of limits"))
    #expect(inner.message.contains("steps, seconds, warm_up"))
  }

  @Test(
    "values that make no sense are refused with their line",
    arguments: [
      ("variants: [gqa:3]", "s.yaml:4: variants: gqa:3"),
      ("variants: [cla:0]", "variants"),
      ("variants: [mla:0+64]", "variants"),
      ("variants: [mha/swa:-1]", "variants"),
      ("variants: [mha, mha]", "twice"),
      ("variants: []", "list"),
      ("weights: f8", "f32, f16, bf16"),
      ("cache: heap", "contiguous, ring, paged"),
      ("page_size: 0\ncache: paged", "whole number"),
      ("page_size: 8", "cache"),
      ("threads: 0", "whole number"),
      ("seed: -1", "whole number"),
      ("memory_fraction: 2", "memory_fraction"),
      ("limits: {steps: 0}", "whole number"),
      ("limits: {warm_up: 1}", "from 2"),
      ("limits: [1]", "expected keys"),
      ("attention: {contexts: [8q], batches: [1]}", "8k"),
      ("attention: {contexts: [0], batches: [1]}", "8k"),
      ("attention: {contexts: [8k]}", "batches"),
      ("max_batch: {budget: lots, contexts: [8k]}", "weights+4GiB"),
      ("max_batch: {budget: 1GiB, contexts: [16]}", "over 67"),
      ("fidelity: {variants: [mha, nope]}", "nope"),
    ])
  func badValues(line: String, expected: String) throws {
    let key = line.prefix { $0 != ":" }
    let kept = smallest.split(separator: "\n").filter { !$0.hasPrefix(key) }
    let text = (kept + [Substring(line)]).joined(separator: "\n")
    let error = try #require(refusal(text), "\(line) was taken")
    #expect(error.exitCode == 65)
    #expect(error.message.hasPrefix("s.yaml:"))
    #expect(error.message.contains(expected), "\(error.message)")
    #expect(!error.message.contains("\n"))
  }

  @Test(
    "what is no suite at all is refused",
    arguments: ["", "just words", "[a, b]", "a: b: c", "name: [", "name: x\nname: y", "\t- x"])
  func noSuite(text: String) throws {
    let error = try #require(refusal(text))
    #expect(error.exitCode == 65)
    #expect(error.message.hasPrefix("s.yaml:"))
    #expect(!error.message.contains("\n"))
  }

  @Test("a missing key and an unknown geometry are named")
  func missing() throws {
    #expect(refusal("geometry: tiny")?.message == "s.yaml:1: expected the key name")
    let error = try #require(refusal("name: x\ngeometry: llama-9"))
    #expect(error.message.hasPrefix("s.yaml:2: geometry: no model"))
  }

  @Test("a file that is not there")
  func missingFile() {
    #expect {
      try Sample.reader.read("/nowhere/s.yaml")
    } throws: { error in
      (error as? HarnessError)?.exitCode == 66
    }
  }

  @Test("the suites of the package are read", arguments: ["default", "quick", "full"])
  func shippedSuites(name: String) throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Benchmarks/Suites/\(name).yaml").path
    let suite = try Sample.reader.read(path)
    #expect(suite.name == name)
    #expect(try !suite.decodeCases().isEmpty)
  }
}
