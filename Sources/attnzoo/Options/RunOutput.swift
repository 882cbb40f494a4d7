import Foundation
import ZooHarness
import ZooRecords
import ZooReports

/// Runs a suite into a row file and prints what came of it.
struct SuiteSession {
  let suite: Suite
  let output: FormatOptions
  /// The row file; nil: `<folder>/<suite>.jsonl`, gone on with where it was left.
  let rowPath: String?
  let folder: String
  /// Whether a report is written beside the rows.
  let writesReport: Bool
  /// The command line that repeats the run.
  let command: String

  func run() async throws {
    let facts = await MachineFacts()
    let runner = try SuiteRunner(suite: suite, facts: facts, child: .current)
    let file =
      if let rowPath {
        try RunFile(path: rowPath, facts: facts)
      } else {
        try RunFile(folder: folder, stem: suite.name, facts: facts)
      }
    let progress = ProgressLine()
    if let note = file.note { progress.note(note) }
    Interruption.watch()
    let outcome = try await runner.run(into: file) { progress.show($0) }
    progress.clear()
    if outcome.skipped > 0 {
      progress.note("\(outcome.skipped) cases were in \(file.path) already and were not run again")
    }
    let rows = try file.rows().latestOfEachCase()
    let own = rows.filter { outcome.cases.contains($0.caseID) }
    try output.show(RowTable.summary(of: own))
    if writesReport, !outcome.interrupted, !rows.isEmpty {
      let path = Self.reportPath(rows: file.path)
      try MarkdownReport(
        rows: rows, title: "\(suite.name): \(suite.geometry.name)", command: command
      )
      .write(to: path)
      progress.note("rows: \(file.path)")
      try StandardStreams.output("\(path)\n")
    }
    if outcome.interrupted {
      progress.note(
        FileManager.default.fileExists(atPath: file.path)
          ? "interrupted; \(file.path) keeps what was measured, the same command goes on"
          : "interrupted before anything was measured; the same command begins anew")
    }
    for row in own where row.status == .failed {
      progress.note("\(row.scope.rawValue) \(row.variant): \(row.reason ?? "failed")")
    }
    if outcome.exitCode != 0 { Foundation.exit(outcome.exitCode) }
  }

  /// `Reports/default.jsonl` → `Reports/default.md`.
  static func reportPath(rows path: String) -> String {
    (path.hasSuffix(".jsonl") ? String(path.dropLast(6)) : path) + ".md"
  }
}

extension RowTable {
  /// The figures that most readers want of each row; the CSV export and the report have all.
  static func summary(of rows: [ResultRow]) -> Table {
    var table = Table(columns: [
      .init("scope", .left), .init("variant", .left), .init("context"), .init("batch"),
      .init("status", .left), .init("ITL p50 ms", key: "itl_p50_ms"),
      .init("attention ms", key: "attention_ms"), .init("GB/s", key: "achieved_gb_per_s"),
      .init("roofline", key: "roofline_fraction"), .init("bound", .left),
      .init("tokens/s", key: "tokens_per_s"), .init("TTFT ms", key: "ttft_ms"),
      .init("KV allocated", key: "kv_allocated_bytes"),
      .init("computed batch", key: "max_batch_computed"),
      .init("measured batch", key: "max_batch_measured"),
      .init("bits/byte", key: "bits_per_byte"), .init("nats/token", key: "nats_per_token"),
      .init("mean KL", key: "mean_kl"), .init("p99 KL", key: "p99_kl"),
      .init("top-1", key: "top1_agreement"), .init("note", .left),
    ])
    for row in rows {
      let tokensPerSecond = row.decode?.tokensPerSecond ?? row.maxBatch?.tokensPerSecondAtMax
      table.append([
        Table.Cell(row.scope.rawValue), Table.Cell(row.variant), .whole(row.context),
        .whole(row.batch),
        Table.Cell(row.status.rawValue), .number(row.decode?.itlMs?.p50),
        .number(row.decode?.attentionMs), .number(row.decode?.achievedGBPerSecond),
        .number(row.decode?.rooflineFraction, digits: 2),
        Table.Cell(row.decode?.bound?.rawValue ?? NumberText.missing), .number(tokensPerSecond),
        .number(row.prefill?.ttftMs), .bytes(row.kv?.allocatedBytes),
        .whole(row.maxBatch?.computed), .whole(row.maxBatch?.measured),
        .number(row.fidelity?.bitsPerByte, digits: 4),
        .number(row.fidelity?.natsPerToken, digits: 4), .number(row.fidelity?.meanKL),
        .number(row.fidelity?.p99KL), .number(row.fidelity?.top1Agreement, digits: 4),
        Table.Cell(
          [row.noop.map { "noop: \($0)" }, row.reason].compactMap { $0 }.joined(separator: "; ")),
      ])
    }
    return table
  }
}
