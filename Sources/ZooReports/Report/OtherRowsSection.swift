import ZooRecords

/// Cases without numbers, and axis values that save nothing.
struct OtherRowsSection: Sendable {
  let run: ReportRun

  /// A table of the cases that did not end well.
  func failures() -> [String] {
    let rows = run.rows.filter { $0.status != .ok }
    guard !rows.isEmpty else { return [] }
    let table = Table(
      columns: [
        .init("status", .left), .init("variant", .left), .init("geometry", .left),
        .init("scope", .left), .init("context"), .init("batch"), .init("computed cache"),
        .init("reason", .left),
      ],
      rows: rows.map { row in
        [
          Table.Cell(row.status.rawValue), Table.Cell("`\(row.variant)`"),
          Table.Cell(row.geometry.name), Table.Cell(row.scope.rawValue), .whole(row.context),
          .whole(row.batch), .bytes(row.kv?.allocatedBytes ?? row.kv?.idealBytes),
          Table.Cell(row.reason ?? NumberText.missing),
        ]
      }
    ).droppingEmptyColumns()
    return [table.render(.markdown), Markdown.commands(rows)]
  }

  /// Axis values that save nothing at a context.
  func noops() -> [String] {
    var seen: Set<String> = []
    let notes = run.rows.compactMap { row -> String? in
      guard let noop = row.noop else { return nil }
      let note =
        "`\(row.variant)` on \(row.geometry.name) at \(NumberText.whole(row.context)) tokens: "
        + noop
      return seen.insert(note).inserted ? note : nil
    }
    return notes.isEmpty ? [] : [Markdown.list(notes)]
  }
}
