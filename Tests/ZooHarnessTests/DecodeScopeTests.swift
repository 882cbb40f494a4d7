import AttentionCore
import Foundation
import Testing
import ZooHarness
import ZooRecords

@Suite("Decode scopes")
struct DecodeScopeTests {
  private func rows(_ suite: ZooHarness.Suite) async throws -> [ResultRow] {
    try await Sample.withFolder { folder in
      let file = try RunFile(folder: folder, stem: "rows", facts: Sample.facts())
      return try await SuiteRunner(suite: suite, facts: Sample.facts()).run(into: file).rows
    }
  }

  @Test(
    "the attention scope of every axis value gives sane numbers",
    arguments: [
      CacheStorage.ring, .contiguous, .paged(pageTokens: 16),
    ])
  func attention(storage: CacheStorage) async throws {
    var suite = try Sample.suite(Sample.everyVariant)
    suite.storage = storage
    suite.attention = Suite.Grid(contexts: [80], batches: [2])
    let rows = try await rows(suite)
    #expect(rows.count == suite.variants.count)
    for row in rows {
      #expect(row.status == .ok, "\(row.variant): \(row.reason ?? "")")
      #expect(row.filledBy == .synthetic)
      #expect(row.weights == nil)
      let kv = try #require(row.kv)
      let layouts = try AxisRegistry.standard.variant(row.variant).layouts(for: suite.geometry)
      #expect(kv.readBytesPerStep == layouts.reduce(0) { $0 + $1.readBytes(context: 80) } * 2)
      #expect(try #require(kv.allocatedBytes) >= #require(kv.idealBytes))
      let decode = try #require(row.decode)
      #expect(decode.steps == 3)
      #expect(decode.samplesMs?.count == 3)
      #expect(decode.itlMs?.p50 == nil)
      #expect(try #require(decode.itlMs?.mean) > 0)
      #expect(try #require(decode.attentionMs) > 0)
      #expect(try #require(decode.appendMs) > 0)
      #expect(try #require(decode.rooflineMs) > 0)
      #expect(try #require(decode.attentionIntensity) > 0)
      #expect(decode.stepFlops == nil)
      #expect(decode.mlaPath == nil)
      #expect(row.machine.stable != nil)
      #expect(try #require(row.machine.readGBPerSecond) > 0)
      #expect(row.command.contains("--scope attention"))
    }
    // All fit together, so that they were timed in turn.
    #expect(Set(rows.map { $0.decode?.round }).count == 1)
    #expect(rows[0].decode?.round != nil)
  }

  @Test("a group that is probed between its steps still gives every case all of them, in turn")
  func probedBetweenSteps() async throws {
    var suite = try Sample.suite(["mha", "mqa"])
    suite.attention = Suite.Grid(contexts: [80], batches: [1])
    // A probe after every round.
    suite.limits = Suite.Limits(steps: 5, seconds: 60, secondsBetweenProbes: 1e-9)
    let rows = try await rows(suite)
    #expect(rows.map { $0.decode?.steps } == [5, 5])
    #expect(rows.allSatisfy { $0.decode?.samplesMs?.count == 5 })
    #expect(rows[0].decode?.round != nil && rows[0].decode?.round == rows[1].decode?.round)
    let again = try await self.rows(suite)
    #expect(again[0].caseID == rows[0].caseID)
  }

  @Test("the step scope of every axis value gives sane numbers")
  func step() async throws {
    var suite = try Sample.suite(Sample.everyVariant)
    suite.step = Suite.Grid(contexts: [80], batches: [1, 2])
    suite.prefillTokens = 32
    let rows = try await rows(suite)
    #expect(rows.count == suite.variants.count * 2)
    for row in rows {
      #expect(row.status == .ok, "\(row.variant): \(row.reason ?? "")")
      let decode = try #require(row.decode)
      #expect(row.weights?.source == "random")
      #expect(try #require(row.memory?.weightBytes) > 0)
      #expect(try #require(row.memory?.workspaceBytes) > 0)
      #expect(try #require(decode.stepRooflineMs) > #require(decode.rooflineMs))
      #expect(try #require(decode.stepFlops) > #require(decode.attentionFlops))
      #expect((decode.mlaPath != nil) == row.variant.hasPrefix("mla"))
      #expect((decode.absorbMs != nil) == row.variant.hasPrefix("mla"))
      #expect((row.prefill != nil) == (row.batch == 1))
      if let prefill = row.prefill {
        #expect(prefill.tokens == 32)
        #expect(try #require(prefill.ttftMs) > 0)
      }
    }
  }

  @Test("a case past its share of the memory is said to be so with its bytes, and is not tried")
  func doesNotFit() async throws {
    var suite = try Sample.suite(["mha", "mqa"])
    suite.attention = Suite.Grid(contexts: [1 << 30], batches: [64])
    let rows = try await rows(suite)
    #expect(rows.map(\.status) == [.doesNotFit, .doesNotFit])
    for row in rows {
      let bytes = try #require(row.kv?.allocatedBytes)
      #expect(row.reason?.contains("bytes computed") == true)
      #expect(bytes > 1 << 40)
      #expect(row.decode == nil)
    }
  }

  @Test("a shape that was read from a checkpoint is repeated from its folder")
  func geometrySource() async throws {
    var suite = try Sample.suite(["mha"])
    suite.geometrySource = "models/my shape"
    suite.attention = Suite.Grid(contexts: [1 << 30], batches: [64])
    let command = try await rows(suite)[0].command
    #expect(command.hasPrefix("attnzoo bench --geometry 'models/my shape' --variants mha"))
  }

  @Test("the hash of a case depends on what changes its result and on nothing else")
  func caseHash() async throws {
    var suite = try Sample.suite(["mha"])
    suite.attention = Suite.Grid(contexts: [1 << 40], batches: [1])
    // Does not fit, so that nothing is measured.
    suite.attention = Suite.Grid(contexts: [1 << 31], batches: [1 << 16])
    let first = try await rows(suite)[0].caseID
    #expect(try await rows(suite)[0].caseID == first)
    suite.name = "another name"
    suite.memoryFraction = 0.7
    #expect(try await rows(suite)[0].caseID == first)
    for change: (inout ZooHarness.Suite) -> Void in [
      { $0.seed = 2 }, { $0.threads = 1 }, { $0.storage = .contiguous }, { $0.limits.steps = 4 },
      { $0.attention?.batches = [1 << 15] },
    ] {
      var other = suite
      change(&other)
      #expect(try await rows(other)[0].caseID != first)
    }
  }
}
