import AttentionCore
import Foundation
import Testing
import ZooHarness
import ZooRecords

@Suite("Max batch")
struct MaxBatchTests {
  private func rows(
    _ variants: [String], budget: ByteBudget, child: ChildProgram?, context: Int = 256,
    seconds: Double = 20
  ) async throws -> [ResultRow] {
    var suite = try Sample.suite(variants)
    suite.maxBatch = Suite.MaxBatch(budget: budget, contexts: [context], secondsPerChild: seconds)
    let facts = Sample.facts()
    return try await Sample.withFolder { folder in
      let file = try RunFile(folder: folder, stem: "rows", facts: facts)
      return try await SuiteRunner(suite: suite, facts: facts, child: child).run(into: file).rows
    }
  }

  @Test(
    "computed and measured agree within 2 % or one sequence",
    .enabled(if: ProgramUnderTest.path != nil),
    arguments: ["mha", "gqa:2", "mla:16+8", "mqa/cla:2", "mha/swa:8"])
  func agreement(variant: String) async throws {
    let rows = try await rows(
      [variant], budget: .weightsPlus(48 << 20), child: ProgramUnderTest.child)
    let row = try #require(rows.first)
    #expect(row.status == .ok, "\(row.reason ?? "")")
    let result = try #require(row.maxBatch)
    let computed = try #require(result.computed)
    let measured = try #require(result.measured)
    #expect(computed > 0)
    #expect(abs(computed - measured) <= max(1, computed / 50))
    #expect(try #require(result.fixedOverheadBytes) > 0)
    #expect(["cache", "workspace"].contains(result.limitedBy))
    #expect(try #require(result.tokensPerSecondAtMax) > 0)
    #expect(result.rateOrigin == .measured)
    #expect(row.batch == measured)
  }

  @Test(
    "a budget that holds not one sequence ends at zero, with what bound it",
    .enabled(if: ProgramUnderTest.path != nil))
  func nothingFits() async throws {
    let rows = try await rows(
      ["mha"], budget: .weightsPlus(4 << 20), child: ProgramUnderTest.child, context: 1 << 16)
    let row = try #require(rows.first)
    #expect(row.status == .ok, "\(row.reason ?? "")")
    #expect(row.maxBatch?.computed == 0)
    #expect(row.maxBatch?.measured == 0)
    #expect(row.maxBatch?.limitedBy == "cache")
    #expect(row.maxBatch?.tokensPerSecondAtMax == nil)
  }

  @Test(
    "a child without time still runs a step of all sequences before it counts",
    .enabled(if: ProgramUnderTest.path != nil))
  func oneStepAtLeast() async throws {
    let rows = try await rows(
      ["mqa"], budget: .weightsPlus(8 << 20), child: ProgramUnderTest.child, seconds: 0.001)
    let row = try #require(rows.first)
    #expect(row.status == .ok, "\(row.reason ?? "")")
    #expect(try #require(row.maxBatch?.measured) > 0)
    #expect(row.maxBatch?.rateOrigin == .measured)
  }

  @Test("a budget smaller than the weights is refused with one line")
  func smallBudget() async throws {
    await #expect {
      _ = try await rows(["mha"], budget: .absolute(1_000), child: ChildProgram(path: "/bin/true"))
    } throws: { error in
      guard let error = error as? HarnessError else { return false }
      return error.exitCode == 64 && error.message.hasPrefix("budget smaller than the weights")
    }
  }

  @Test(
    "a child that fails for another reason is an error and no lack of memory",
    arguments: [
      ("exit 3", "ended with code 3"), ("kill -SEGV $$", "crashed with signal 11"),
      ("kill -KILL $$", "signal 9"), ("echo nonsense", "nothing that can be read"),
    ])
  func otherFailures(script: String, expected: String) async throws {
    let child = ChildProgram(path: "/bin/sh", arguments: ["-c", script])
    let rows = try await rows(["mha"], budget: .weightsPlus(1 << 30), child: child)
    #expect(rows.map(\.status) == [.failed])
    #expect(rows[0].reason?.contains(expected) == true, "\(rows[0].reason ?? "")")
  }

  @Test("a program that is not there is an error that says so")
  func noProgram() async throws {
    let rows = try await rows(
      ["mha"], budget: .weightsPlus(1 << 30), child: ChildProgram(path: "/nowhere/attnzoo"))
    #expect(rows.map(\.status) == [.failed])
    #expect(rows[0].reason?.contains("could not be run") == true)
  }
}
