import ZooRecords

extension Comparison {
  /// A line for each metric of each case in both; lost cases first.
  public var table: Table { table(of: entries) }

  private func table(of entries: [Entry]) -> Table {
    var table = Table(columns: [
      .init("verdict", .left), .init("variant", .left), .init("geometry", .left),
      .init("scope", .left), .init("context"), .init("batch"), .init("metric", .left),
      .init("A", key: "a"), .init("B", key: "b"), .init("unit", .left),
      .init("B ÷ A", key: "ratio"), .init("low", key: "ratio_low"),
      .init("high", key: "ratio_high"), .init("case", .left),
    ])
    for loss in losses {
      let row = loss.row
      table.append(
        ["lost"] + place(row)
          + [
            Table.Cell("\(row.status.rawValue): \(row.reason ?? "no reason given")"),
            Table.Cell(NumberText.missing), Table.Cell(NumberText.missing), "",
            Table.Cell(NumberText.missing), Table.Cell(NumberText.missing),
            Table.Cell(NumberText.missing), Table.Cell(row.caseID),
          ])
    }
    for entry in entries {
      table.append(
        [Table.Cell(verdict(entry))] + place(entry.row)
          + [
            Table.Cell(entry.metric.rawValue), value(entry.before, entry.metric),
            value(entry.after, entry.metric), Table.Cell(entry.metric.unit),
            .init(NumberText.fixed(entry.ratio, decimals: 3), value: entry.ratio),
            .init(NumberText.fixed(entry.estimate?.low, decimals: 3), value: entry.estimate?.low),
            .init(
              NumberText.fixed(entry.estimate?.high, decimals: 3), value: entry.estimate?.high),
            Table.Cell(entry.row.caseID),
          ])
    }
    return table
  }

  /// The comparison in a format. CSV and JSON hold the whole table and nothing else; the others
  /// leave out allocated bytes that are equal, and add what is in one file only, warnings and a
  /// verdict.
  public func render(_ format: TableFormat) -> String {
    switch format {
    case .csv, .json: return table.render(format)
    case .table, .markdown: break
    }
    var parts: [String] = []
    if format == .markdown { parts.append("# Comparison\n") }
    parts += warnings.map { "Warning: \($0).\n" }
    let shown = entries.filter { $0.metric != .allocatedBytes || $0.before != $0.after }
    let table = table(of: shown).droppingEmptyColumns()
    if !table.rows.isEmpty { parts.append(table.render(format)) }
    let equal = entries.count - shown.count
    if equal > 0 { parts.append("Allocated cache bytes are equal in \(equal) cases.\n") }
    parts += [("A", onlyInA), ("B", onlyInB)].compactMap { name, rows in
      rows.isEmpty ? nil : "Only in \(name):\n\n" + Markdown.list(rows.map(words))
    }
    parts.append(summary + "\n")
    return parts.joined(separator: "\n")
  }

  /// One sentence.
  public var summary: String {
    let worse = entries.filter(\.isRegression).count + losses.count
    let better = entries.filter(\.isImprovement).count
    let limit = NumberText.significant(threshold * 100)
    let head =
      worse == 0
      ? "No regression past \(limit) %"
      : "\(worse) regression\(worse == 1 ? "" : "s") past \(limit) %"
    return "\(head), \(better) improvement\(better == 1 ? "" : "s"), "
      + "\(entries.count) comparisons; ratios are B ÷ A of medians with 95 % bootstrap intervals."
  }

  private func verdict(_ entry: Entry) -> String {
    if entry.isRegression { return "REGRESSION" }
    if entry.isImprovement { return "improvement" }
    switch entry.metric {
    case .firstToken: return "no interval"
    case .stepTime where entry.estimate == nil: return "no interval"
    case .stepTime where entry.estimate?.excludesOne == false: return "not told apart"
    default: return entry.before == entry.after ? "equal" : "within threshold"
    }
  }

  private func place(_ row: ResultRow) -> [Table.Cell] {
    [
      Table.Cell(row.variant), Table.Cell(row.geometry.name), Table.Cell(row.scope.rawValue),
      .whole(row.context), .whole(row.batch),
    ]
  }

  private func value(_ value: Double, _ metric: Metric) -> Table.Cell {
    switch metric {
    case .stepTime, .firstToken: .number(value)
    case .allocatedBytes, .maxBatch: .whole(Int(value))
    case .bitsPerByte: .init(NumberText.fixed(value, decimals: 4), value: value)
    }
  }

  private func words(_ row: ResultRow) -> String {
    "\(row.variant), \(row.geometry.name), \(row.scope.rawValue), "
      + "\(NumberText.whole(row.context)) tokens × batch \(row.batch) (case \(row.caseID))"
  }
}
