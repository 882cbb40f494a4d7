import Foundation
import Testing
import ZooRecords

@Suite("Ctrl-C while a model is scored")
struct InterruptedEvaluationTests {
  @Test("ends with exit code 130 and whole rows that say so; the same command goes on")
  func interruption() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let variants = ["mha", "mha@int8", "gqa:4"]
    let command = ["eval", "--variants", variants.joined(separator: ","), "--rows", "rows.jsonl"]
    let ending = try program.interruptOnTerminal(
      command + ["--segments", "90"], onceShown: "segment 2 of 90")
    #expect(ending.code == 130 && !ending.wasSignalled, Comment(rawValue: ending.errors))
    let rows = try RowFile(path: folder("rows.jsonl"), strict: true).rows
    #expect(rows.map(\.variant) == variants)
    #expect(
      rows.allSatisfy {
        $0.status == .interrupted && $0.fidelity == nil && $0.reason == "stopped by ctrl-C"
      })
    #expect(try folder.contents == ["rows.jsonl"])
    let again = try program.run(command + ["--segments", "1"])
    #expect(again.code == 0, Comment(rawValue: again.errors))
    let all = try RowFile(path: folder("rows.jsonl"), strict: true).rows
    #expect(all.map(\.status) == rows.map(\.status) + [.ok, .ok, .ok])
  }

  @Test("a bar on the terminal says how far it is, and is gone at the end")
  func progress() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let shown = try program.interruptOnTerminal(
      ["eval", "--segments", "40", "--rows", "rows.jsonl"], onceShown: "segment 5 of 40"
    ).errors
    let lines = shown.components(separatedBy: "\r\u{1B}[K")
    #expect(
      lines.contains("[0/1] [##··················] fidelity of embedded: segment 5 of 40"),
      Comment(rawValue: shown))
    // Each is drawn over the one before it; what follows the last is a line that stays.
    let bars = lines.filter { $0.hasPrefix("[0/1]") }
    #expect(bars.count >= 5 && bars.allSatisfy { !$0.contains("\n") && $0.count < 80 })
    #expect(try #require(lines.last).hasPrefix("attnzoo: interrupted; rows.jsonl keeps"))
  }
}
