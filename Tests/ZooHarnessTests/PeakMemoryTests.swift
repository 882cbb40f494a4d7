import AttentionCore
import Foundation
import Testing
import ZooRecords

@Suite("Peak memory and what repeats a case")
struct PeakMemoryTests {
  /// Rows of a run in a process of its own, whose resident set no other test changes.
  private func rows(_ variants: [String], _ more: [String]) async throws -> [ResultRow] {
    let program = try #require(ProgramUnderTest.path)
    return try await Sample.withFolder { folder in
      let path = folder + "/rows.jsonl"
      let process = Process()
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments =
        [
          "bench", "--geometry", "tiny", "--variants", variants.joined(separator: ","),
          "--batch", "2", "--steps", "3", "--threads", "2", "--rows", path,
          "--output", folder, "--no-report",
        ] + more
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      process.waitUntilExit()
      return try RowFile(path: path, strict: true).rows
    }
  }

  @Test(
    "no variant's run takes more than 5 % + 64 MiB over what it states",
    .enabled(if: ProgramUnderTest.path != nil))
  func withinStated() async throws {
    let rows = try await rows(Sample.everyVariant, ["--context", "80", "--prefill", "32"])
    #expect(rows.count == 2 * Sample.everyVariant.count)
    for row in rows {
      #expect(row.status == .ok, "\(row.variant): \(row.reason ?? "")")
      #expect(row.reason?.contains("peak memory") != true, "\(row.variant): \(row.reason ?? "")")
      // At least what the row itself states is resident.
      let memory = try #require(row.memory)
      let stated = (memory.weightBytes ?? 0) + (row.kv?.allocatedBytes ?? 0)
      if let peak = memory.peakRSSBytes { #expect(peak > stated) }
    }
  }

  @Test(
    "only the case that measures the time to first token is repeated with it",
    .enabled(if: ProgramUnderTest.path != nil))
  func prefillInCommand() async throws {
    let rows = try await rows(["mha", "mqa"], ["--context", "80,96", "--prefill", "600"])
    #expect(rows.contains { $0.prefill != nil })
    for row in rows {
      #expect(row.command.contains("--prefill 600") == (row.prefill != nil))
      #expect(row.command.contains("--cache ring --threads 2 --seed 1"))
    }
  }
}
