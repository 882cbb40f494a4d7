import Foundation
import Testing
import ZooHarness
import ZooRecords

@Suite("Going on with a run")
struct ResumeTests {
  private func suite() throws -> ZooHarness.Suite {
    var suite = try Sample.suite(["mha", "mqa"])
    suite.attention = Suite.Grid(contexts: [16], batches: [1])
    return suite
  }

  @Test("rows of the same commit and machine are not measured again")
  func resume() async throws {
    try await Sample.withFolder { folder in
      let facts = Sample.facts()
      let runner = try SuiteRunner(suite: try suite(), facts: facts)
      let first = try await runner.run(
        into: try RunFile(folder: folder, stem: "rows", facts: facts))
      #expect(first.rows.count == 2)
      #expect(first.exitCode == 0)
      let second = try await runner.run(
        into: try RunFile(folder: folder, stem: "rows", facts: facts))
      #expect(second.rows.isEmpty)
      #expect(second.skipped == 2)
      #expect(try RowFile(path: folder + "/rows.jsonl", strict: true).rows == first.rows)
    }
  }

  @Test("a file that was cut in a line is gone on with, and only what is lost runs again")
  func cutFile() async throws {
    try await Sample.withFolder { folder in
      let facts = Sample.facts()
      let path = folder + "/rows.jsonl"
      let runner = try SuiteRunner(suite: try suite(), facts: facts)
      let first = try await runner.run(into: try RunFile(path: path, facts: facts))
      let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
      try bytes.dropLast(40).write(to: URL(fileURLWithPath: path))
      let file = try RunFile(path: path, facts: facts)
      #expect(file.note?.contains("cut") == true)
      let second = try await runner.run(into: file)
      #expect(second.skipped == 1)
      #expect(second.rows.map(\.caseID) == [first.rows[1].caseID])
      #expect(try RowFile(path: path, strict: true).rows.count == 2)
    }
  }

  @Test("rows of another commit go to another file")
  func anotherCommit() async throws {
    try await Sample.withFolder { folder in
      let old = Sample.facts(commit: "aaaa")
      _ = try await SuiteRunner(suite: try suite(), facts: old).run(
        into: try RunFile(folder: folder, stem: "rows", facts: old))
      let new = Sample.facts(commit: "bbbb")
      let file = try RunFile(folder: folder, stem: "rows", facts: new)
      #expect(file.path.hasSuffix("rows-2.jsonl"))
      #expect(file.finished.isEmpty)
      #expect(throws: RecordError.self) {
        try RunFile(path: folder + "/rows.jsonl", facts: new)
      }
    }
  }

  @Test("the latest file of this commit is gone on with, whatever number it has")
  func latestOfSeveral() async throws {
    try await Sample.withFolder { folder in
      let old = Sample.facts(commit: "aaaa")
      let new = Sample.facts(commit: "bbbb")
      for facts in [old, new] {
        _ = try await SuiteRunner(suite: try suite(), facts: facts).run(
          into: try RunFile(folder: folder, stem: "rows", facts: facts))
      }
      let again = try RunFile(folder: folder, stem: "rows", facts: new)
      #expect(again.path == folder + "/rows-2.jsonl")
      #expect(again.finished.count == 2)
      #expect(again.note == nil)
      #expect(try RunFile(folder: folder, stem: "rows", facts: old).path == folder + "/rows.jsonl")
      let third = try RunFile(folder: folder, stem: "rows", facts: Sample.facts(commit: "cccc"))
      #expect(third.path == folder + "/rows-3.jsonl")
      #expect(third.note?.contains("another commit (bbbb)") == true)
    }
  }

  @Test("a file is made by its first row, so that a refused run leaves none")
  func lazily() async throws {
    try await Sample.withFolder { folder in
      let facts = Sample.facts()
      let file = try RunFile(folder: folder, stem: "rows", facts: facts)
      var suite = try suite()
      suite.attention = nil
      suite.maxBatch = Suite.MaxBatch(budget: .absolute(1), contexts: [256])
      let runner = try SuiteRunner(suite: suite, facts: facts)
      await #expect(throws: HarnessError.self) { try await runner.run(into: file) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
      #expect(try file.rows().isEmpty)
    }
  }

  @Test("rows of changed sources are refused for that reason")
  func dirty() async throws {
    try await Sample.withFolder { folder in
      let facts = Sample.facts(commit: "aaaa-dirty")
      let path = folder + "/rows.jsonl"
      _ = try await SuiteRunner(suite: try suite(), facts: facts).run(
        into: try RunFile(path: path, facts: facts))
      let error = #expect(throws: RecordError.self) { try RunFile(path: path, facts: facts) }
      #expect(error?.exitCode == 65)
      #expect(error?.description.contains("sources of this run were changed") == true)
      #expect(error?.description.contains("aaaa-dirty") == true)
      let file = try RunFile(folder: folder, stem: "rows", facts: facts)
      #expect(file.path.hasSuffix("rows-2.jsonl"))
      #expect(file.note?.contains("aaaa-dirty") == true)
    }
  }

  @Test("a folder that cannot be written ends the run with the exit code of the design")
  func unwritable() {
    #expect {
      try RunFile(path: "/proc/nowhere/rows.jsonl", facts: Sample.facts())
    } throws: { error in
      (error as? RecordError)?.exitCode == 73
    }
  }
}
