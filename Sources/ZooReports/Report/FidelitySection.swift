import ZooRecords

/// What variants cost in quality, one table for each geometry and kind.
struct FidelitySection: Sendable {
  let run: ReportRun

  /// What a kind's numbers are, so that nobody takes them for another's.
  static func title(of kind: FidelityKind) -> String {
    switch kind {
    case .trained: "quality of models trained as the variant"
    case .healed: "loss of conversion with training afterwards"
    case .trainingFree: "loss of training-free conversion"
    case .codec: "loss of the cache's codec"
    }
  }

  private static func warning(_ kind: FidelityKind) -> String {
    switch kind {
    case .trainingFree:
      "This is the loss of training-free conversion, not the quality of a trained variant: "
        + "a variant that is last here can be as good as the first when it is trained. "
        + "It must not be joined with the cost of another geometry.\n"
    case .healed:
      "The converted models were trained further; how long decides the numbers. "
        + "They must not be joined with the cost of another geometry.\n"
    case .trained, .codec:
      "They must not be joined with the cost of another geometry.\n"
    }
  }

  /// Geometries and kinds with rows, in order.
  static func groups(
    _ run: ReportRun
  ) -> [(geometry: String, kind: FidelityKind, rows: [ResultRow])] {
    let rows = run.finished.filter { $0.fidelity != nil }
    return ReportRun.geometries(rows).flatMap { geometry in
      FidelityKind.allCases.compactMap { kind in
        let same = rows.filter { $0.geometry.name == geometry && $0.fidelity?.kind == kind }
        return same.isEmpty ? nil : (geometry, kind, same)
      }
    }
  }

  func parts(level: Int, charts: ReportCharts, stem: String) -> [String] {
    var parts: [String] = []
    let hashes = String(repeating: "#", count: level)
    let groups = Self.groups(run)
    for group in groups {
      let name = Self.title(of: group.kind)
      let title = name.prefix(1).uppercased() + name.dropFirst()
      parts.append("\(hashes) \(title): \(group.geometry)\n")
      parts.append(Self.warning(group.kind))
      parts.append(table(group.rows).render(.markdown))
      parts.append(contentsOf: stages(group.rows))
      parts += charts.fidelity(geometry: group.geometry, kind: group.kind)
        .map { Markdown.picture($0, stem: stem) }
      parts.append(Markdown.commands(group.rows))
    }
    if groups.contains(where: { $0.kind != .codec }) {
      parts.append("\(hashes) What others published for trained variants and for conversion\n")
      parts.append(contentsOf: PublishedQuality.parts())
    }
    return parts
  }

  private func table(_ rows: [ResultRow]) -> Table {
    Table(
      columns: [
        .init("variant", .left), .init("reference", .left), .init("ideal, B/token"),
        .init("bits per byte"), .init("reference, bits per byte"), .init("change [95 %]"),
        .init("nats per token"), .init("change a token [95 %]"), .init("mean KL, nats"),
        .init("p99 KL, nats"),
        .init("top-1 agreement"), .init("max abs. error"), .init("segments"),
      ],
      rows: rows.map { row in
        let fidelity = row.fidelity
        return [
          Table.Cell("`\(row.variant)`"), Table.Cell(fidelity?.reference ?? ""),
          .init(NumberText.plain(row.kv?.idealBytesPerToken), value: row.kv?.idealBytesPerToken),
          .init(NumberText.fixed(fidelity?.bitsPerByte, decimals: 4), value: fidelity?.bitsPerByte),
          .init(
            NumberText.fixed(fidelity?.referenceBitsPerByte, decimals: 4),
            value: fidelity?.referenceBitsPerByte),
          Table.Cell(fidelity?.bitsPerByteChangeText ?? NumberText.missing),
          .number(fidelity?.natsPerToken, digits: 4),
          Table.Cell(fidelity?.natsPerTokenChangeText ?? NumberText.missing),
          .number(fidelity?.meanKL), .number(fidelity?.p99KL),
          .init(
            NumberText.fixed(fidelity?.top1Agreement, decimals: 4), value: fidelity?.top1Agreement),
          .number(fidelity?.maxAbsError), .whole(fidelity?.segments),
        ]
      }
    ).droppingEmptyColumns()
  }

  private func stages(_ rows: [ResultRow]) -> [String] {
    let lines = rows.compactMap { row -> String? in
      guard let stages = row.fidelity?.stages, !stages.isEmpty else { return nil }
      let start = row.fidelity?.referenceBitsPerByte.map {
        "the original \(NumberText.fixed($0, decimals: 4))"
      }
      let steps = stages.map { "\($0.name) \(NumberText.fixed($0.bitsPerByte, decimals: 4))" }
      return "`\(row.variant)`: " + ((start.map { [$0] } ?? []) + steps).joined(separator: " → ")
    }
    return lines.isEmpty
      ? [] : ["Bits per byte after each step of the conversion:\n", Markdown.list(lines)]
  }
}
