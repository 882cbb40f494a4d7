import Foundation
import Testing
import ZooHarness
import ZooRecords

@Suite("Ctrl-C")
struct InterruptionTests {
  @Test(
    "in the middle of a case leaves a whole file with an interrupted row, and exit code 130",
    .enabled(if: ProgramUnderTest.path != nil))
  func interrupt() async throws {
    let program = try #require(ProgramUnderTest.path)
    try await Sample.withFolder { folder in
      let rows = folder + "/rows.jsonl"
      let process = Process()
      process.executableURL = URL(fileURLWithPath: program)
      process.arguments = [
        "bench", "--geometry", "tiny", "--variants", "mha,mqa", "--context", "1k", "--batch", "1",
        "--scope", "attention", "--steps", "1000000", "--seconds", "600", "--rows", rows,
        "--output", folder, "--threads", "2",
      ]
      process.standardOutput = FileHandle.nullDevice
      process.standardError = FileHandle.nullDevice
      try process.run()
      Self.interrupt(process, after: 3)
      #expect(process.terminationReason == .exit)
      #expect(process.terminationStatus == 130)
      let file = try RowFile(path: rows, strict: true)
      #expect(file.rows.map(\.status) == [.interrupted, .interrupted])
      #expect(file.rows.allSatisfy { $0.decode == nil && $0.reason == "stopped by ctrl-C" })
    }
  }

  /// Presses ctrl-C after some seconds and waits for the end. Blocks its thread: a suspended task could
  /// wait for its turn while the program measures on.
  private static func interrupt(_ process: Process, after seconds: Double) {
    Thread.sleep(forTimeInterval: seconds)
    process.interrupt()
    process.waitUntilExit()
  }
}
