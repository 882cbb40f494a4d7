import ZooRecords

/// A report of result rows in markdown with charts beside it.
///
/// The text and the charts depend on the rows only, not on their order, the clock or the locale:
/// the same rows give the same bytes.
public struct MarkdownReport: Sendable {
  /// The heading.
  public let title: String
  private let command: String?
  private let runs: [ReportRun]
  private let bootstrap: Bootstrap

  /// A report of rows; of a case that ran again the latest row counts.
  ///
  /// - Parameters:
  ///   - rows: Rows in any order, of any machines and commits; each pair of these is a part of
  ///     its own and nothing is compared across them.
  ///   - title: The heading.
  ///   - command: The command line that repeats all; without it, each table's commands do.
  ///   - bootstrap: How intervals are drawn.
  public init(
    rows: [ResultRow], title: String = "Attention variants and their caches",
    command: String? = nil, bootstrap: Bootstrap = Bootstrap()
  ) {
    self.title = title
    self.command = command
    self.runs = ReportRun.runs(of: rows)
    self.bootstrap = bootstrap
  }

  /// The report as text and charts.
  ///
  /// - Parameter stem: The report's file name without extension; charts are linked as
  ///   `<stem>-<chart>.svg` beside it.
  public func render(stem: String) -> RenderedReport {
    var charts: [NamedChart] = []
    var parts: [String] = []
    if let command { parts.append("To repeat all:\n\n```sh\n\(command)\n```\n") }
    if runs.isEmpty { parts.append("There are no rows.\n") }
    if runs.count > 1 {
      parts.append(
        "Rows of \(runs.count) machines or commits: each has its part, and nothing is compared "
          + "across them.\n")
    }
    for (index, run) in runs.enumerated() {
      let isOnly = runs.count == 1
      let body = RunBody(
        run: run, bootstrap: bootstrap, level: isOnly ? 2 : 3, stem: stem,
        prefix: isOnly ? "" : "part-\(index + 1)")
      if !isOnly {
        parts.append("## Part \(index + 1): \(run.machine.cpu), commit `\(run.machine.commit)`\n")
      }
      parts.append(contentsOf: body.parts())
      charts.append(contentsOf: body.allCharts())
    }
    parts.append(Markdown.section(2, "How to read this", ReadingGuide.parts()))
    let text = Markdown.section(1, title, parts)
    return RenderedReport(markdown: text, charts: charts)
  }

  /// Writes the report and its charts, all of them or none; the report last, so that it links to
  /// nothing missing.
  ///
  /// - Parameter path: The report's file, such as `Reports/2026-01-31.md`.
  /// - Throws: `RecordError`: `badData` where there is no row, `cannotWrite`.
  public func write(to path: String) throws(RecordError) {
    guard !runs.isEmpty else {
      throw RecordError(
        kind: .badData, file: path, expected: "expected result rows for a report, found none")
    }
    let slash = path.lastIndex(of: "/").map { path.index(after: $0) } ?? path.startIndex
    let folder = path[..<slash]
    let name = path[slash...]
    let stem = name.lastIndex(of: ".").map { String(name[..<$0]) } ?? String(name)
    let report = render(stem: stem)
    try AtomicFile.write(
      report.charts.map { (path: "\(folder)\(stem)-\($0.name).svg", text: $0.chart.svg()) }
        + [(path: path, text: report.markdown)])
  }
}

/// A report's text and the charts that it links to.
public struct RenderedReport: Sendable, Hashable {
  /// The report.
  public let markdown: String
  /// The charts; the file of each is `<stem>-<name>.svg`.
  public let charts: [NamedChart]
}
