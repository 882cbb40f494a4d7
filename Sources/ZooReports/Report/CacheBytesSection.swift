import ZooRecords

/// Cache bytes a token: ideal, allocated, read.
struct CacheBytesSection: Sendable {
  let run: ReportRun
  let geometry: String

  func parts() -> [String] {
    let rows = run.finished.filter { $0.geometry.name == geometry && $0.scope != .fidelity }
    return Set(rows.filter { $0.kv != nil }.map(\.context)).sorted().map { context in
      table(rows.filter { $0.context == context }, context: context)
    }
  }

  /// One row a variant and cache: the smallest batch of the first scope that has all it can.
  private func table(_ rows: [ResultRow], context: Int) -> String {
    var seen: Set<String> = []
    let chosen = run.byVariant(rows.filter { $0.kv != nil })
      .filter { seen.insert($0.variant + " " + $0.cacheLabel).inserted }
    let variants = chosen.map(\.variant)
    let plain = VariantName.reference(base: "mha", among: variants)
    let ownBase = chosen.first.map { VariantName.base($0.geometry.ownVariant) }
    let own = ownBase.flatMap { VariantName.reference(base: $0, among: variants) }
    func ideal(_ name: String?) -> Double? {
      chosen.first { $0.variant == name }?.kv?.idealBytesPerToken
    }
    func ratio(_ row: ResultRow, _ name: String?) -> Table.Cell {
      guard let bytes = row.kv?.idealBytesPerToken, let whole = ideal(name), whole > 0 else {
        return Table.Cell(NumberText.missing)
      }
      return .ratio(bytes / whole)
    }
    let hasManyCaches = Set(chosen.map(\.cacheLabel)).count > 1
    let table = Table(
      columns: [
        .init("variant", .left), .init("cache", .left), .init("ideal, B/token"),
        .init("allocated, B/token"), .init("metadata, B/sequence"),
        .init("read a step, per sequence"),
        .init("÷ \(plain ?? "mha")"), .init("÷ \(own ?? "own")"),
      ],
      rows: chosen.map { row in
        let batch = Double(max(row.batch, 1))
        let tokens = Double(max(row.cachedTokens, 1))
        let allocated = row.kv?.allocatedBytes.map { Double($0) / tokens }
        let metadata = row.kv?.metadataBytes.map { Double($0) / batch }
        let read = row.kv?.readBytesPerStep.map { Double($0) / batch }
        return [
          Table.Cell("`\(row.variant)`"), Table.Cell(hasManyCaches ? row.cacheLabel : ""),
          .init(NumberText.plain(row.kv?.idealBytesPerToken), value: row.kv?.idealBytesPerToken),
          .init(NumberText.plain(allocated), value: allocated),
          .init(NumberText.plain(metadata), value: metadata),
          .init(NumberText.bytes(read), value: read),
          ratio(row, plain), own == plain ? "" : ratio(row, own),
        ]
      }
    ).droppingEmptyColumns()
    return "**\(NumberText.whole(context)) tokens cached.** \(denominator(plain, own, ideal))\n\n"
      + table.render(.markdown)
  }

  private func denominator(
    _ plain: String?, _ own: String?, _ ideal: (String?) -> Double?
  ) -> String {
    var parts: [String] = []
    if let plain {
      parts.append("`\(plain)`, \(NumberText.plain(ideal(plain))) B a token")
    }
    if let own, own != plain {
      parts.append("the model's own `\(own)`, \(NumberText.plain(ideal(own))) B a token")
    }
    guard !parts.isEmpty else {
      return "No row of `mha` or of the model's own variant to divide by."
    }
    return "Ratios divide ideal bytes by those of " + parts.joined(separator: ", and of ") + "."
  }
}
