import ArgumentParser
import ZooRecords
import ZooReports

/// `attnzoo report`: rows into markdown with charts.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Turns row files into a markdown report with SVG charts, or into CSV.",
    discussion: """
      The same rows give the same bytes.

      Examples:
        attnzoo report Reports/default.jsonl --to Reports/default.md
        attnzoo report Reports/default.jsonl --format csv
      """)

  @Argument(help: "Row files (JSON lines).")
  var rows: [String]
  @Option(help: "Report to write; charts go beside it. Without it, rows are printed by --format.")
  var to: String?
  @Option(help: "Heading of the report.")
  var title: String = "Attention variants and their caches"
  @Option(help: "The command line that repeats all, for the top of the report.")
  var command: String?
  @OptionGroup var output: FormatOptions

  func run() throws {
    guard command == nil || to != nil else { throw UsageError("--command belongs to --to") }
    var all: [ResultRow] = []
    for path in rows { all += try RowFile.someRows(path: path) }
    let latest = all.latestOfEachCase()
    if let to {
      try MarkdownReport(rows: latest, title: title, command: command).write(to: to)
      try StandardStreams.output("\(to)\n")
    } else if output.format == .csv {
      try StandardStreams.output(RowTable.table(of: latest).render(.csv))
    } else {
      try output.show(RowTable.summary(of: latest))
    }
  }
}
