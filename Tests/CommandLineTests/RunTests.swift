import Foundation
import Testing
import ZooRecords

/// A short measurement on the smallest geometry.
private let quick = [
  "bench", "--geometry", "tiny", "--scope", "attention", "--steps", "3", "--seconds", "0.1",
  "--threads", "1", "--no-report", "--variants", "mha,mqa",
]

@Suite("A run keeps what it measured", .serialized)
struct RunTests {
  @Test("a run goes on in a row file that was cut, and says so")
  func resumesCutFile() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let command = quick + ["--context", "64", "--rows", "rows.jsonl"]
    #expect(try program.run(command).code == 0)
    let whole = try folder.bytes(of: "rows.jsonl")
    try folder.write(Array(whole.dropLast(100)), to: "rows.jsonl")
    let resumed = try program.run(command)
    #expect(resumed.code == 0, Comment(rawValue: resumed.errors))
    #expect(resumed.errors.contains("rows.jsonl: line 2: the line is cut after"))
    #expect(resumed.errors.contains("1 cases were in rows.jsonl already"))
    let rows = try RowFile(path: folder("rows.jsonl")).rows
    #expect(rows.map(\.variant) == ["mha", "mqa"])
    #expect(rows.allSatisfy { $0.status == .ok })
    #expect(try folder.contents == ["rows.jsonl"])
  }

  @Test("ctrl-C in the middle of bench ends with 130, and the same command goes on")
  func interruptedBench() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let command = [
      "bench", "--geometry", "tiny", "--variants", "mha", "--context", "64,96,128,160",
      "--scope", "attention", "--steps", "1000000", "--seconds", "0.7", "--threads", "1",
      "--rows", "rows.jsonl",
    ]
    func rows() -> [ResultRow] {
      (try? RowFile(path: folder("rows.jsonl"), recovering: true).rows) ?? []
    }
    let stopped = try program.interrupt(command) { !rows().isEmpty }
    #expect(stopped.code == 130)
    #expect(!stopped.wasSignalled)
    #expect(stopped.errors.contains("interrupted; rows.jsonl keeps what was measured"))
    let kept = try RowFile(path: folder("rows.jsonl")).rows
    let done = kept.count { $0.status == .ok }
    #expect((1..<4).contains(done))
    #expect(kept.allSatisfy { $0.status == .ok || $0.status == .interrupted })
    #expect(try folder.contents == ["rows.jsonl"])

    let resumed = try program.run(command)
    #expect(resumed.code == 0, Comment(rawValue: resumed.errors))
    #expect(resumed.errors.contains("\(done) cases were in rows.jsonl already"))
    let all = try RowFile(path: folder("rows.jsonl")).rows
    #expect(Array(all.prefix(kept.count)) == kept)
    #expect(all.filter { $0.status == .ok }.map(\.context) == [64, 96, 128, 160])
    #expect(FileManager.default.fileExists(atPath: folder("rows.md")))
  }

  @Test("ctrl-C in the middle of max-batch ends with 130, and the same command goes on")
  func interruptedMaxBatch() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let command = [
      "max-batch", "--geometry", "tiny", "--variants", "mha,gqa:2,mqa", "--context", "128,160,256",
      "--budget", "weights+4MiB", "--seconds", "5", "--threads", "1", "--rows", "rows.jsonl",
    ]
    func rows() -> [ResultRow] {
      (try? RowFile(path: folder("rows.jsonl"), recovering: true).rows) ?? []
    }
    let start = Date()
    var pressed = start
    let stopped = try program.interrupt(command) {
      pressed = Date()
      return !rows().isEmpty
    }
    #expect(stopped.code == 130)
    #expect(!stopped.wasSignalled)
    #expect(Date().timeIntervalSince(pressed) < 5)
    let kept = try RowFile(path: folder("rows.jsonl")).rows
    let done = kept.count { $0.status == .ok }
    #expect(done >= 1)
    let resumed = try program.run(command)
    #expect(resumed.code == 0, Comment(rawValue: resumed.errors))
    #expect(resumed.errors.contains("\(done) cases were in rows.jsonl already"))
    let all = try RowFile(path: folder("rows.jsonl")).rows
    #expect(Array(all.prefix(kept.count)) == kept)
    #expect(all.count { $0.status == .ok } == 9)
  }

  @Test("rows of another machine or commit are not mixed in")
  func otherCommit() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let command = quick + ["--context", "64"]
    #expect(try program.run(command + ["--output", "."]).code == 0)
    let text = String(decoding: try folder.bytes(of: "bench.jsonl"), as: UTF8.self)
      .replacing("0123456789abcdef", with: "fedcba9876543210")
    try folder.write(text, to: "bench.jsonl")
    let other = try program.run(command + ["--output", "."])
    #expect(other.code == 0)
    #expect(other.errors.contains("bench-2.jsonl"))
    #expect(try folder.bytes(of: "bench.jsonl") == Array(text.utf8))
    try program.refuses(command + ["--rows", "bench.jsonl"], 65, "bench.jsonl", "commit")
  }
}

@Suite("What cannot run is refused before it starts")
struct RefusedRunTests {
  @Test(
    "a folder that cannot be written",
    arguments: ["file/below", "/proc/attnzoo", "/dev/null/attnzoo"])
  func unwritableFolder(_ path: String) throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write("x", to: "file")
    try program.refuses(quick + ["--context", "64", "--output", path], 73)
    try program.refuses(quick + ["--context", "64", "--rows", path + "/rows.jsonl"], 73)
    try program.refuses(["eval", "--segments", "1", "--output", path], 73)
    try program.refuses(
      ["max-batch", "--geometry", "tiny", "--variants", "mha", "--output", path], 73)
    #expect(try folder.bytes(of: "file") == Array("x".utf8))
    #expect(try folder.contents == ["file"])
  }

  @Test("a build of the kernels that this machine cannot run is refused, not replaced")
  func instructionSet() throws {
    let program = try Program()
    let refused = try program.shell("ATTNZOO_ISA=nonsense $ATTNZOO list --geometries")
    #expect(refused.code == 64)
    #expect(refused.output.isEmpty)
    #expect(refused.errorLines.count == 1)
    #expect(refused.errors.hasPrefix("attnzoo: ATTNZOO_ISA=nonsense: expected one of baseline"))
    let chosen = try program.shell("ATTNZOO_ISA=baseline $ATTNZOO list --geometries")
    #expect(chosen.code == 0)
    #expect(chosen.errors.isEmpty)
  }

  @Test("a command for a report that is not written is refused")
  func commandWithoutReport() throws {
    try Program().refuses(
      ["report", "rows.jsonl", "--command", "x"], 64, "--command belongs to --to")
  }

  @Test("a run prints the cases that it was asked for, whatever else the file holds")
  func ownCases() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let first = try program.run(quick + ["--context", "64", "--rows", "rows.jsonl"])
    #expect(first.code == 0, Comment(rawValue: first.errors))
    let second = try program.run(
      quick + ["--context", "32", "--rows", "rows.jsonl", "--format", "csv"])
    #expect(second.code == 0, Comment(rawValue: second.errors))
    #expect(second.lines.count == 3, Comment(rawValue: second.text))
    #expect(try RowFile(path: folder("rows.jsonl")).rows.count == 4)
  }

  @Test("a budget that makes no sense, or does not hold the weights")
  func budget() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let command = ["max-batch", "--geometry", "embedded", "--variants", "mha", "--rows", "r.jsonl"]
    try program.refuses(command + ["--budget", "1MiB"], 64, "budget smaller than the weights")
    for text in ["lots", " ", "-1GiB", "weights", "weights+", "0", "1e300GiB", "nan"] {
      try program.refuses(command + ["--budget=\(text)"], 64, "--budget")
    }
    try program.refuses(command + ["--context", "64"], 64, "contexts")
    try program.refuses(command + ["--seconds", "nan"], 64, "seconds")
    #expect(((try? folder.bytes(of: "r.jsonl")) ?? []).isEmpty)
  }

  @Test(
    "numbers out of range",
    arguments: [
      ["--threads", "0"], ["--threads", "5000"], ["--threads=-1"], ["--batch", "0"],
      ["--batch=-1"], ["--batch", "2000000"], ["--batch", "1,,2"], ["--context", "0"],
      ["--context=-8"], ["--context", "8q"], ["--context", "99999999999999999999"],
      ["--context", "4096m"], ["--page-size", "16"], ["--page-size", "0", "--cache", "paged"],
      ["--cache", "heap"], ["--steps", "0"], ["--seconds", "nan"], ["--seconds", "0"],
      ["--seconds=-1"], ["--warm-up", "0"], ["--prefill", "0"], ["--scope", "all"],
      ["--scope", ""], ["--variants", ""], ["--context", "2048m", "--batch", "1048576"],
    ])
  func outOfRange(_ flags: [String]) throws {
    let folder = try TemporaryFolder()
    let command = [
      "bench", "--geometry", "llama-3.2-1b", "--scope", "attention", "--seconds", "0.1",
    ]
    // A flag given twice counts as given last.
    let variants = flags.contains { $0.hasPrefix("--variants") } ? [] : ["--variants", "mha"]
    try Program(in: folder).refuses(command + variants + flags, 64)
    #expect(try folder.contents == [])
  }

  @Test("sizes that no machine holds are rows that do not fit, with their computed bytes")
  func doesNotFit() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let ending = try program.run(
      "bench", "--geometry", "llama-3.2-1b", "--variants", "mha,mla:512+64", "--context", "1m",
      "--batch", "1024", "--scope", "attention,step", "--rows", "rows.jsonl", "--no-report")
    #expect(ending.code == 0, Comment(rawValue: ending.errors))
    let rows = try RowFile(path: folder("rows.jsonl")).rows
    #expect(rows.count == 4)
    #expect(rows.allSatisfy { $0.status == .doesNotFit && $0.decode == nil })
    #expect(rows[0].kv?.idealBytes == 131_072 << 30)
    #expect(rows[1].kv?.idealBytes == 18_432 << 30)

    let search = try program.run(
      "max-batch", "--geometry", "llama-3.1-405b", "--variants", "mha", "--context", "8k",
      "--rows", "max.jsonl")
    #expect(search.code == 0, Comment(rawValue: search.errors))
    #expect(try RowFile(path: folder("max.jsonl")).rows.map(\.status) == [.doesNotFit])
  }

  @Test(
    "arithmetic past 64 bits is an error and not a trap",
    arguments: [
      ["plan", "--context", "1024m", "--batch", "1048576"],
      ["list", "--geometry", "llama-3.1-405b", "--context", "1048576m"],
      ["inspect", "mha@f32", "--geometry", "llama-3.1-405b", "--context", "1048576m"],
    ])
  func overflow(_ arguments: [String]) throws {
    try Program().refuses(arguments, 65, "64 bits")
  }

  @Test("numbers of list, inspect and plan out of range")
  func outOfRangePlans() throws {
    let program = try Program()
    try program.refuses(["plan", "--batch", "0"], 64, "--batch")
    try program.refuses(["plan", "--batch=-1"], 64, "--batch")
    try program.refuses(["plan", "--context", "0"], 64, "--context")
    try program.refuses(["list", "--context", "8k,16k"], 64, "--context")
    try program.refuses(["inspect", "mha", "--context=-1"], 64, "--context")
    try program.refuses(["machine", "--threads", "0"], 64, "--threads")
  }

  @Test("a model that a device does not hold has a largest batch of none, limited by its weights")
  func tooLargeForDevice() throws {
    let ending = try Program().run(
      "plan", "--geometry", "llama-3.1-405b", "--variants", "mha,mqa", "--format", "csv")
    #expect(ending.code == 0, Comment(rawValue: ending.errors))
    #expect(ending.lines.dropFirst().allSatisfy { $0.hasSuffix(",0,weights") })
  }
}
