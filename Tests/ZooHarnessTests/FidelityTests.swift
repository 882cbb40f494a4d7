import AttentionCore
import Foundation
import Testing
import ZooHarness
import ZooModels
import ZooRecords

@Suite("Fidelity", .enabled(if: EmbeddedModel.folder != nil, "the embedded model is not installed"))
struct FidelityTests {
  private func rows(_ variants: [String], segments: Int) async throws -> [ResultRow] {
    var suite = try Sample.suite([])
    suite.fidelity = Suite.Fidelity(
      variants: try variants.map { try AxisRegistry.standard.variant($0) }, segments: segments)
    let facts = Sample.facts()
    return try await Sample.withFolder { folder in
      let file = try RunFile(folder: folder, stem: "rows", facts: facts)
      return try await SuiteRunner(suite: suite, facts: facts).run(into: file).rows
    }
  }

  @Test("the original loses nothing to itself, a codec little, a conversion more")
  func ordering() async throws {
    let rows = try await rows(["mha@f32", "mha", "gqa:4", "mha/swa:256"], segments: 2)
    #expect(rows.allSatisfy { $0.status == .ok })
    let scores = try rows.map { try #require($0.fidelity) }
    #expect(scores.map(\.kind) == [.codec, .trainingFree, .trainingFree, .trainingFree])
    // Equal but for rounding: OpenBLAS's thread count belongs to the process, and a conversion in
    // another suite may raise it between two products, which then add in another order. Exactly in a
    // process of its own: EvaluationTests.
    #expect(try #require(scores[0].meanKL) < 1e-12)
    #expect(scores[0].top1Agreement == 1)
    let (own, reference) = (scores[0].bitsPerByte, scores[0].referenceBitsPerByte)
    #expect(abs(try #require(own) - #require(reference)) < 1e-7)
    let change = try #require(scores[0].bitsPerByteChange)
    #expect(abs(change.low) < 1e-7 && abs(change.high) < 1e-7)
    #expect(try #require(scores[1].meanKL) < 1e-3)
    #expect(try #require(scores[1].maxAbsError) > 0)
    #expect(try #require(scores[2].meanKL) > #require(scores[1].meanKL))
    #expect(try #require(scores[2].bitsPerByte) > #require(scores[2].referenceBitsPerByte))
    for (row, score) in zip(rows, scores) {
      #expect(score.segments == 2)
      #expect(score.reference == "embedded mha@f32")
      #expect(row.geometry.name == "embedded")
      #expect(row.context == 1_024)
      #expect(row.command.contains("--cache ring --threads 2 --seed 1"))
      #expect(try #require(score.p99KL) >= 0)
    }
    // A trained byte model is far from the 8 bits of a uniform guess.
    #expect(try #require(scores[0].bitsPerByte) < 4)
  }

  @Test("a conversion that has no meaning becomes a row that says so")
  func unsupported() async throws {
    let rows = try await rows(["gqa:3", "mha"], segments: 1)
    #expect(rows.map(\.status) == [.unsupported, .ok])
    #expect(rows[0].reason?.contains("gqa:3") == true)
  }

  @Test("a text that is too short is refused with one line")
  func shortText() async throws {
    try await Sample.withFolder { folder in
      let text = folder + "/short.txt"
      for content in ["", "too short"] {
        try Data(content.utf8).write(to: URL(fileURLWithPath: text))
        var suite = try Sample.suite([])
        suite.fidelity = Suite.Fidelity(
          variants: [try AxisRegistry.standard.variant("mha")], text: text)
        let runner = try SuiteRunner(suite: suite, facts: Sample.facts())
        let file = try RunFile(path: folder + "/rows.jsonl", facts: Sample.facts())
        await #expect(throws: (any Error).self) { try await runner.run(into: file) }
      }
    }
  }
}
