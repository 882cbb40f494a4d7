import Foundation
import Testing
import ZooRecords
import ZooReports

@Suite("A report of result rows")
struct MarkdownReportTests {
  private static let rendered = MarkdownReport(
    rows: SampleRows.all, command: "attnzoo bench"
  ).render(stem: "report")
  private let report = Self.rendered
  /// Coarse intervals, where a test is not about them.
  private let coarse = Bootstrap(resamples: 50)

  @Test("is the golden file, byte for byte")
  func golden() {
    GoldenFile.expect(report.markdown, matches: "report.md")
    for chart in report.charts {
      GoldenFile.expect(chart.chart.svg(), matches: "report-\(chart.name).svg")
    }
  }

  @Test("does not depend on the order of the rows", arguments: [17, 100])
  func order(step: Int) {
    let rows = SampleRows.shuffled(SampleRows.all, step: step)
    #expect(rows != SampleRows.all)
    let report = MarkdownReport(rows: SampleRows.all, bootstrap: coarse).render(stem: "report")
    let other = MarkdownReport(rows: rows, bootstrap: coarse).render(stem: "report")
    #expect(other.markdown == report.markdown)
    #expect(other.charts.map { $0.chart.svg() } == report.charts.map { $0.chart.svg() })
  }

  @Test("links to every chart it makes and to no other")
  func links() {
    let links = report.markdown.matches(of: /\]\((report-[a-z0-9-]+\.svg)\)/).map { String($0.1) }
    #expect(links.sorted() == report.charts.map { "report-\($0.name).svg" }.sorted())
    #expect(Set(links).count == links.count)
    #expect(!links.isEmpty)
  }

  @Test("has bytes, latency, batch and quality of one model's variant in one line")
  func sideBySide() throws {
    var rows = ["mha", "gqa:4"].map { name in
      SampleRows.fidelity(name, bytes: name == "mha" ? 6144 : 3072, bits: 1.3, number: 1)
    }
    rows[1].fidelity?.natsPerToken = 2.5
    rows[1].fidelity?.referenceNatsPerToken = 2.25
    rows[1].fidelity?.natsPerTokenChange = .init(low: 0.2, high: 0.3)
    let variants = [("mha", 6144.0), ("gqa:4", 3072.0)].map {
      SampleRows.Variant(name: $0.0, bytesPerToken: $0.1, intensity: 1)
    }
    var costs = variants.map { SampleRows.step($0, batch: 1, number: 2) }
    costs += variants.map { SampleRows.maxBatch($0, context: 8192, number: 3) }
    for index in costs.indices { costs[index].geometry = SampleRows.embedded }
    let report = MarkdownReport(rows: rows + costs, bootstrap: coarse).render(stem: "report")
    let section = try #require(
      report.markdown.components(separatedBy: "embedded: bytes, latency, batch and quality").last)
    let line = try #require(section.split(separator: "\n").first { $0.hasPrefix("| `gqa:4`") })
    let batch = (4 << 30) / (3072 * 8192)
    for cell in [
      "3,072", "24.0 MiB", "\(batch)", "training_free", "1.3000", "+0.2500 [+0.2000, +0.3000]",
    ] {
      #expect(line.contains(cell), "\(cell) in \(line)")
    }
    #expect(section.contains("÷ mha [95 %]"))
    // Quality alone, or cost alone, has no such table.
    for some in [rows, costs] {
      let report = MarkdownReport(rows: some, bootstrap: coarse).render(stem: "report")
      #expect(!report.markdown.contains("side by side"))
    }
  }

  @Test("states the ridge, the commit and the dates of the rows")
  func header() {
    #expect(report.markdown.contains("| Ridge | 4.95 FLOP/byte"))
    #expect(report.markdown.contains("`abc1234`"))
    #expect(report.markdown.contains("2026-01-31T10:00:00Z to 2026-01-31T11:"))
  }

  @Test("puts mha first, then fewer and fewer bytes")
  func variantOrder() {
    let text = report.markdown
    let section = text.components(separatedBy: "**32,768 tokens cached.**")[1]
    let names = section.matches(of: /\n\| `([^`]+)`/).prefix(9).map { String($0.1) }
    #expect(
      names == [
        "mha", "gqa:8", "gqa:8/swa:1024", "mla:512+64", "gqa:8/cla:2", "mla:256+32",
        "mla:512+64/cla:2", "mqa", "mqa/cla:2",
      ])
  }

  @Test("names a winner among unstable rows only where they were timed in turn")
  func unstableWinner() {
    func text(inTurn: Bool) -> String {
      let rows = SampleRows.all.filter {
        $0.scope == .attention && $0.context == 8192 && $0.batch == 1
      }.map { row in
        var row = row
        row.machine.stable = false
        if !inTurn { row.decode?.round = nil }
        return row
      }
      return MarkdownReport(rows: rows, bootstrap: coarse).render(stem: "report").markdown
    }
    #expect(text(inTurn: true).contains(" is the fastest of "))
    #expect(!text(inTurn: false).contains(" is the fastest of "))
    #expect(text(inTurn: false).contains("but the machine was not stable"))
  }

  @Test("divides by mha and by the model's own variant, and says so")
  func denominators() {
    #expect(
      report.markdown.contains(
        "those of `mha`, 131,072 B a token, and of the model's own `gqa:8`, 32,768 B a token"))
  }

  @Test("heads training-free fidelity plainly and keeps it apart from cost")
  func fidelityHeading() {
    #expect(
      report.markdown.contains(
        "loss of training-free conversion, not the quality of a trained variant"))
    let cost = report.markdown.components(separatedBy: "## Fidelity")[0]
    #expect(!cost.contains("embedded: cache bytes"))
  }

  @Test("never puts two kinds of fidelity into one table or chart")
  func kinds() throws {
    var codec = SampleRows.fidelity("mha@int8", bytes: 3264, bits: 1.301, number: 3)
    codec.fidelity?.kind = .codec
    var second = SampleRows.fidelity("mha@int4", bytes: 1920, bits: 1.34, number: 4)
    second.fidelity?.kind = .codec
    let mixed = MarkdownReport(rows: SampleRows.all + [codec, second], bootstrap: coarse).render(
      stem: "r")
    let charts = mixed.charts.filter { $0.name.hasPrefix("fidelity") }
    #expect(charts.count == 2)
    for chart in charts {
      let names = chart.chart.series.map(\.name)
      let codecs = names.filter { $0.contains("@") }.count
      #expect(codecs == 0 || codecs == names.count)
    }
  }

  @Test("prints cases without numbers with their reasons")
  func failures() {
    #expect(report.markdown.contains("| does_not_fit | `mha` |"))
    #expect(report.markdown.contains("64.0 GiB of cache pass 80 % of 24.0 GiB"))
    #expect(report.markdown.contains("signal 11 \\| see its log"))
  }

  @Test("says where an axis value saves nothing")
  func noops() {
    #expect(report.markdown.contains("the window of 1024 tokens covers the context of 1024"))
  }

  @Test("has a dash and no zero where nothing was measured")
  func missing() throws {
    var rows = SampleRows.all.filter { $0.scope == .attention && $0.context == 1024 }
    rows[0].decode?.achievedGBPerSecond = nil
    let text = MarkdownReport(rows: rows, bootstrap: coarse).render(stem: "r").markdown
    let line = try #require(
      text.split(separator: "\n").first { $0.hasPrefix("| `mha` |") && $0.contains("bandwidth") })
    #expect(line.contains("| – |"))
  }

  @Test("keeps machines and commits apart")
  func twoCommits() {
    var other = SampleRows.all
    for index in other.indices { other[index].machine.commit = "def5678" }
    let text = MarkdownReport(rows: SampleRows.all + other, bootstrap: coarse).render(stem: "r")
      .markdown
    #expect(text.contains("## Part 1: Example CPU 9000, commit `abc1234`"))
    #expect(text.contains("## Part 2: Example CPU 9000, commit `def5678`"))
  }

  @Test("of no rows says that there are none")
  func empty() {
    #expect(MarkdownReport(rows: []).render(stem: "r").markdown.contains("There are no rows."))
  }

  @Test("is written with its charts beside it")
  func writing() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("zoo-report-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try MarkdownReport(rows: SampleRows.all, bootstrap: coarse).write(to: "\(folder)/deep/run.md")
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/deep").sorted()
    #expect(files.contains("run.md"))
    #expect(files.filter { $0.hasPrefix("run-") && $0.hasSuffix(".svg") }.count == files.count - 1)
  }
}
