import ZooRecords

/// Decode tables of one scope, one for each context and batch.
struct DecodeSection: Sendable {
  let run: ReportRun
  let geometry: String
  let scope: RowScope
  let bootstrap: Bootstrap

  /// Rows with decode numbers, by condition.
  static func conditions(
    _ run: ReportRun, geometry: String, scope: RowScope
  ) -> [(condition: Condition, rows: [ResultRow])] {
    ReportRun.conditions(
      run.finished.filter {
        $0.geometry.name == geometry && $0.scope == scope && $0.decode != nil
      })
  }

  func parts() -> [String] {
    Self.conditions(run, geometry: geometry, scope: scope).map { condition, rows in
      let plain = VariantName.reference(base: "mha", among: rows.map(\.variant))
      let reference = rows.first { $0.variant == plain }
      let table = scope == .attention ? attention(rows, reference) : step(rows, reference)
      return "**\(condition.title)** (\(condition.details))\n\n"
        + table.droppingEmptyColumns().render(.markdown) + "\n" + Markdown.commands(rows)
    }
  }

  private func attention(_ rows: [ResultRow], _ reference: ResultRow?) -> Table {
    let hasManyCaches = Set(rows.map(\.cacheLabel)).count > 1
    return Table(
      columns: [
        .init("variant", .left), .init("cache", .left), .init("itl p50, ms"),
        .init("÷ \(reference?.variant ?? "mha") [95 %]"), .init("attention, ms"),
        .init("append, ms"), .init("absorb, ms"), .init("GB/s"), .init("GFLOP/s"),
        .init("FLOP/byte"), .init("bound", .left), .init("roofline, ms"),
        .init("roofline fraction"), .init("MLA path", .left),
      ],
      rows: rows.map { row in
        let decode = row.decode
        return [
          Table.Cell(row.variantLabel), Table.Cell(hasManyCaches ? row.cacheLabel : ""),
          .number(row.medianMs), ratio(row, reference), .number(decode?.attentionMs),
          .number(decode?.appendMs), .number(decode?.absorbMs),
          .number(decode?.achievedGBPerSecond), .number(decode?.achievedGFLOPPerSecond),
          .number(decode?.attentionIntensity),
          Table.Cell(decode?.bound?.rawValue ?? NumberText.missing),
          .number(decode?.rooflineMs),
          .init(
            NumberText.fixed(decode?.rooflineFraction, decimals: 2),
            value: decode?.rooflineFraction),
          Table.Cell(decode?.mlaPath ?? NumberText.missing),
        ]
      })
  }

  private func step(_ rows: [ResultRow], _ reference: ResultRow?) -> Table {
    let hasManyCaches = Set(rows.map(\.cacheLabel)).count > 1
    return Table(
      columns: [
        .init("variant", .left), .init("cache", .left), .init("itl p50, ms"),
        .init("itl p90, ms"), .init("itl p99, ms"),
        .init("÷ \(reference?.variant ?? "mha") [95 %]"), .init("tokens/s"),
        .init("attention, ms"), .init("append, ms"), .init("absorb, ms"),
        .init("step roofline, ms"), .init("step roofline ÷ itl p50"), .init("MLA path", .left),
      ],
      rows: rows.map { row in
        let decode = row.decode
        var fraction: Double?
        if let roofline = decode?.stepRooflineMs, let median = row.medianMs, median > 0 {
          fraction = roofline / median
        }
        return [
          Table.Cell(row.variantLabel), Table.Cell(hasManyCaches ? row.cacheLabel : ""),
          .number(row.medianMs), .number(decode?.itlMs?.p90), .number(decode?.itlMs?.p99),
          ratio(row, reference), .number(decode?.tokensPerSecond),
          .number(decode?.attentionMs), .number(decode?.appendMs), .number(decode?.absorbMs),
          .number(decode?.stepRooflineMs),
          .init(NumberText.fixed(fraction, decimals: 2), value: fraction),
          Table.Cell(decode?.mlaPath ?? NumberText.missing),
        ]
      })
  }

  private func ratio(_ row: ResultRow, _ reference: ResultRow?) -> Table.Cell {
    guard let reference else { return Table.Cell(NumberText.missing) }
    if reference.caseID == row.caseID { return "1×" }
    return Table.Cell(row.timeRatio(to: reference, bootstrap)?.text ?? NumberText.missing)
  }
}
