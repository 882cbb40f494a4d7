import Foundation
import Testing
import ZooRecords

/// A measured row whose decode steps took these milliseconds.
private func row(
  _ variant: String, context: Int = 64, milliseconds: Double, round: String? = nil
) -> ResultRow {
  var decode = ResultRow.Decode(steps: 40)
  decode.samplesMs = (0..<40).map { milliseconds * (1 + Double($0 % 5) / 1000) }
  decode.itlMs = ResultRow.Latency(
    mean: milliseconds, p50: milliseconds, p90: nil, p99: nil, max: milliseconds)
  decode.tokensPerSecond = 1000 / milliseconds
  decode.attentionMs = milliseconds / 2
  return ResultRow(
    caseID: "\(variant)-\(context)", status: .ok, scope: .attention, suite: "s", variant: variant,
    geometry: .init(
      name: "tiny", layers: 2, hidden: 8, queryHeads: 4, kvHeads: 4, headWidth: 8, mlp: 16,
      vocabulary: 256),
    context: context, batch: 1, threads: 1, seed: 1,
    kv: .init(
      idealBytesPerToken: 64, idealBytes: 64 * context, allocatedBytes: 64 * context,
      metadataBytes: 8, readBytesPerStep: 64 * context),
    decode: decode,
    machine: .init(
      cpu: "Example CPU", cores: 2, isa: "avx2", memoryBytes: 1 << 34, hugePages: "madvise",
      os: "Linux", swift: "6", openblas: "0.3", commit: "abc", date: "2026-01-31T12:00:00Z",
      readGBPerSecond: 20, peakGFLOPPerSecond: 100, stable: true),
    command: "attnzoo bench")
}

private func text(_ rows: [ResultRow]) throws -> String {
  try rows.map { try RowCoding.line(of: $0) + "\n" }.joined()
}

@Suite("Row files are read whole or refused at their line")
struct RowTests {
  static let rows = [row("mha", milliseconds: 10), row("mqa", milliseconds: 4)]

  @Test("a file cut in the middle of a line")
  func cutFile() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let whole = try text(Self.rows)
    try folder.write(whole, to: "whole.jsonl")
    try folder.write(String(whole.dropLast(100)), to: "cut.jsonl")
    let place = "cut.jsonl: line 2"
    try program.refuses(["report", "cut.jsonl"], 65, place)
    try program.refuses(["report", "cut.jsonl", "--to", "r.md"], 65, place)
    try program.refuses(["compare", "cut.jsonl", "whole.jsonl"], 65, place)
    try program.refuses(["compare", "whole.jsonl", "cut.jsonl"], 65, place)
    #expect(try folder.contents == ["cut.jsonl", "whole.jsonl"])
  }

  @Test("files that hold no rows, and files that are not there")
  func noRows() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let whole = try text(Self.rows)
    try folder.write("hello\n" + whole, to: "words.jsonl")
    try folder.write("{\"schema\":999}\n", to: "later.jsonl")
    try folder.write([0xff, 0xfe, 0x0a], to: "bytes.jsonl")
    for name in ["words.jsonl", "later.jsonl", "bytes.jsonl"] {
      try program.refuses(["report", name], 65, "\(name): line 1")
      try program.refuses(["compare", name, name], 65, "\(name): line 1")
      try program.refuses(
        ["bench", "--geometry", "tiny", "--variants", "mha", "--rows", name], 65,
        "\(name): line 1")
    }
    #expect(try folder.bytes(of: "words.jsonl") == Array("hello\n\(whole)".utf8))
    for path in ["absent.jsonl", folder.path] {
      try program.refuses(["report", path], 66, path)
      try program.refuses(["compare", path, path], 66, path)
    }
  }

  @Test("compare ends with 1 past the threshold and with 0 within it")
  func compare() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write(try text([row("mha", milliseconds: 10)]), to: "a.jsonl")
    try folder.write(try text([row("mha", milliseconds: 12)]), to: "b.jsonl")
    let files = ["a.jsonl", "b.jsonl"]
    #expect(try program.run(["compare"] + files).code == 1)
    #expect(try program.run(["compare"] + files + ["--threshold", "10"]).code == 1)
    #expect(try program.run(["compare"] + files + ["--threshold", "30"]).code == 0)
    #expect(try program.run(["compare"] + files.reversed()).code == 0)
    #expect(try program.run("compare", "a.jsonl", "a.jsonl", "--threshold", "0").code == 0)
    for threshold in ["nan", "inf"] {
      try program.refuses(["compare"] + files + ["--threshold", threshold], 64, "--threshold")
    }
    try program.refuses(["compare"] + files + ["--threshold=-1"], 64, "--threshold")
  }

  @Test("the same rows give the same report, byte for byte")
  func reportTwice() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let rows = Self.rows + [row("mha", context: 128, milliseconds: 20)]
    try folder.write(try text(rows), to: "rows.jsonl")
    for name in ["one", "two"] {
      let ending = try program.run("report", "rows.jsonl", "--to", "\(name)/r.md")
      #expect(ending.code == 0, Comment(rawValue: ending.errors))
      #expect(ending.text == "\(name)/r.md\n")
    }
    let files = try FileManager.default.subpathsOfDirectory(atPath: folder("one")).sorted()
    #expect(
      try FileManager.default.subpathsOfDirectory(atPath: folder("two")).sorted() == files)
    #expect(files.contains("r.md"))
    #expect(files.contains { $0.hasSuffix(".svg") })
    #expect(!files.contains { $0.hasSuffix(".part") })
    for file in files where !file.hasSuffix("/") {
      guard let one = try? folder.bytes(of: "one/\(file)") else { continue }
      #expect(try folder.bytes(of: "two/\(file)") == one)
    }
  }

  @Test("a report that cannot be written")
  func unwritableReport() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write(try text(Self.rows), to: "rows.jsonl")
    for path in ["rows.jsonl/below.md", "/proc/report.md", "/dev/null/report.md"] {
      try program.refuses(["report", "rows.jsonl", "--to", path], 73)
    }
    try FileManager.default.createDirectory(
      atPath: folder("taken"), withIntermediateDirectories: true)
    try program.refuses(["report", "rows.jsonl", "--to", "taken"], 73)
    try program.refuses(["report", "rows.jsonl", "--to", ""], 73, "expected a file's path")
    #expect(try folder.bytes(of: "rows.jsonl") == Array(text(Self.rows).utf8))
    #expect(try folder.contents == ["rows.jsonl", "taken"])
  }
}
