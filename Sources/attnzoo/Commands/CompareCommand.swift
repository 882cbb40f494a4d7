import ArgumentParser
import ZooRecords
import ZooReports

/// `attnzoo compare`: two row files, case by case.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Ratios of the cases of two row files with bootstrap intervals.",
    discussion: """
      Exits with 1 where a case got worse by more than the threshold.

      Example:
        attnzoo compare before.jsonl after.jsonl --threshold 5
      """)

  @Argument(help: "Rows before (A).")
  var before: String
  @Argument(help: "Rows after (B).")
  var after: String
  @Option(help: "Allowed worsening, percent.")
  var threshold: Double = 5
  @OptionGroup var output: FormatOptions

  func run() throws {
    guard threshold.isFinite, threshold >= 0 else {
      throw UsageError("--threshold \(threshold): expected a percentage from 0")
    }
    let comparison = Comparison(
      try RowFile(path: before).rows, try RowFile(path: after).rows, threshold: threshold / 100)
    guard !comparison.sharesNoCase else {
      throw RecordError(
        kind: .badData, file: after,
        expected: "expected at least one case that \(before) has too, found none")
    }
    try StandardStreams.output(comparison.render(output.format))
    if comparison.hasRegression { throw ExitCode(1) }
  }
}
