import ZooRecords

/// Time to first token.
struct PrefillSection: Sendable {
  let run: ReportRun
  let geometry: String

  func parts() -> [String] {
    let rows = run.finished.filter { $0.geometry.name == geometry && $0.prefill?.ttftMs != nil }
    return Set(rows.compactMap(\.prefill?.tokens)).sorted().flatMap { tokens in
      let same = rows.filter { $0.prefill?.tokens == tokens }
      return Set(same.map(\.batch)).sorted().map { batch in
        table(same.filter { $0.batch == batch }, tokens: tokens, batch: batch)
      }
    }
  }

  private func table(_ rows: [ResultRow], tokens: Int, batch: Int) -> String {
    let sorted = run.byVariant(rows)
    let table = Table(
      columns: [
        .init("variant", .left), .init("time to first token, ms"), .init("prompt tokens/s"),
      ],
      rows: sorted.map {
        [
          Table.Cell($0.variantLabel), .number($0.prefill?.ttftMs),
          .number($0.prefill?.tokensPerSecond),
        ]
      }
    ).droppingEmptyColumns()
    return "**\(NumberText.whole(tokens)) prompt tokens × batch \(batch)**\n\n"
      + table.render(.markdown) + "\n" + Markdown.commands(sorted)
  }
}
