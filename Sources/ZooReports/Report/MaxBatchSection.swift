import ZooRecords

/// The largest batch within a budget, computed beside measured.
struct MaxBatchSection: Sendable {
  let run: ReportRun
  let geometry: String

  /// What must be equal for searches to stand in one table.
  struct Search: Hashable, Comparable {
    let context: Int
    /// Bytes of the budget; 0 where they depend on the variant by `rule`.
    let bytes: Int
    let rule: String

    init(_ row: ResultRow) {
      context = row.context
      rule = row.maxBatch?.budgetRule ?? ""
      bytes = rule.isEmpty ? row.maxBatch?.budgetBytes ?? 0 : 0
    }

    /// The budget as readers see it.
    var budget: String {
      rule.isEmpty ? NumberText.bytes(bytes) : rule.replacing("+", with: " + ")
    }

    static func < (left: Self, right: Self) -> Bool {
      (left.context, left.bytes, left.rule) < (right.context, right.bytes, right.rule)
    }
  }

  /// Rows by context and budget, in order.
  static func searches(
    _ run: ReportRun, geometry: String
  ) -> [(search: Search, rows: [ResultRow])] {
    let rows = run.finished.filter { $0.geometry.name == geometry && $0.maxBatch != nil }
    let grouped = Dictionary(grouping: rows, by: Search.init)
    return grouped.keys.sorted().map { search in
      (search, run.byVariant(grouped[search] ?? []))
    }
  }

  func parts() -> [String] {
    Self.searches(run, geometry: geometry).map { search, rows in
      let plain = VariantName.reference(base: "mha", among: rows.map(\.variant))
      let whole = rows.first { $0.variant == plain }?.largestBatch
      let table = Table(
        columns: [
          .init("variant", .left), .init("cache", .left), .init("computed"), .init("measured"),
          .init("difference"), .init("÷ \(plain ?? "mha")"), .init("limited by", .left),
          .init("fixed overhead"), .init("tokens/s at max batch"), .init("rate", .left),
        ],
        rows: rows.map { row in
          let search = row.maxBatch
          var difference: Int?
          if let computed = search?.computed, let measured = search?.measured {
            difference = measured - computed
          }
          var ratio: Double?
          if let own = row.largestBatch, let whole, whole > 0 {
            ratio = Double(own) / Double(whole)
          }
          let origin = search?.tokensPerSecondAtMax == nil ? nil : search?.rateOrigin ?? row.origin
          return [
            Table.Cell(row.variantLabel), Table.Cell(row.cacheLabel), .whole(search?.computed),
            .whole(search?.measured), .whole(difference), .ratio(ratio),
            Table.Cell(search?.limitedBy ?? NumberText.missing),
            .bytes(search?.fixedOverheadBytes), .number(search?.tokensPerSecondAtMax),
            Table.Cell(origin?.rawValue ?? NumberText.missing),
          ]
        }
      ).droppingEmptyColumns()
      let title =
        "**\(NumberText.whole(search.context)) tokens a sequence within "
        + "\(search.budget)** (weights, cache and workspace)\n\n"
      return title + table.render(.markdown) + "\n" + Markdown.commands(rows)
    }
  }
}

extension ResultRow {
  /// Sequences that ran, else those computed.
  var largestBatch: Int? { maxBatch?.measured ?? maxBatch?.computed }
}
