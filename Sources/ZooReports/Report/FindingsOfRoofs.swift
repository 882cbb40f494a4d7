import ZooRecords

extension Findings {
  /// Attention rows of the longest context and largest batch, one a variant.
  private func attentionRows(_ geometry: String) -> [ResultRow] {
    DecodeSection.conditions(run, geometry: geometry, scope: .attention)
      .last { $0.condition.origin == .measured }?.rows ?? []
  }

  /// Who is bound by bandwidth and who by arithmetic here.
  func bounds(_ geometry: String) -> String {
    let rows = attentionRows(geometry)
    func names(_ bound: RowBound) -> [String] {
      var seen: Set<String> = []
      return rows.filter { $0.decode?.bound == bound }.map(\.variant)
        .filter { seen.insert($0).inserted }
    }
    let bandwidth = names(.bandwidth)
    let compute = names(.compute)
    guard !bandwidth.isEmpty || !compute.isEmpty, let first = rows.first else { return "" }
    let ridge = HeaderSection(run: run).ridge
    var text =
      "**Roofs.** This machine's ridge is \(NumberText.significant(ridge)) FLOP/byte. "
      + "\(Condition(first).title): "
    var parts: [String] = []
    if !bandwidth.isEmpty {
      parts.append("\(Markdown.names(bandwidth)) \(verb(bandwidth)) bound by bandwidth")
    }
    if !compute.isEmpty {
      parts.append("\(Markdown.names(compute)) \(verb(compute)) bound by arithmetic")
    }
    text += parts.joined(separator: ", ")
    return text + "."
  }

  /// What changes on a device with another ridge.
  func otherDevices(_ geometry: String) -> String {
    let device = ReferenceDevice.h200
    let rows = attentionRows(geometry).filter { $0.decode?.attentionIntensity != nil }
    guard !rows.isEmpty else { return "" }
    func intensity(_ row: ResultRow) -> Double { row.decode?.attentionIntensity ?? 0 }
    let below = rows.filter { intensity($0) < device.ridge }
    let above = rows.filter { intensity($0) >= device.ridge }
    var text =
      "**Elsewhere.** On a device with another ridge the order may change. \(device.name): "
      + "\(NumberText.significant(device.peakTFLOPPerSecond)) TFLOP/s bf16 at "
      + "\(NumberText.significant(device.bandwidthTBPerSecond)) TB/s, about "
      + "\(NumberText.significant(device.ridge)) FLOP/byte (data sheet, nothing measured here). "
    if !below.isEmpty {
      let byBytes = below.filter { $0.kv?.readBytesPerStep != nil }.sorted {
        ($0.kv?.readBytesPerStep ?? 0, $0.variant) < ($1.kv?.readBytesPerStep ?? 0, $1.variant)
      }
      text +=
        "There \(Markdown.names(below.map(\.variant))) stay\(below.count > 1 ? "" : "s") below the "
        + "ridge, bound by bandwidth, and go\(below.count > 1 ? "" : "es") by the bytes read"
      if byBytes.count > 1 {
        text += " (fewest first: \(Markdown.names(byBytes.map(\.variant))))"
      }
      text += ". "
    }
    if !above.isEmpty {
      text +=
        "\(Markdown.names(above.map(\.variant))) \(above.count > 1 ? "pass" : "passes") it and "
        + "\(above.count > 1 ? "go" : "goes") by FLOPs there too. "
    }
    let freed = below.filter { $0.decode?.bound == .compute }.map(\.variant)
    if !freed.isEmpty {
      text +=
        "\(Markdown.names(freed)), bound by arithmetic here, might win there what "
        + "\(freed.count > 1 ? "they lose" : "it loses") here. "
    }
    return String(text.dropLast())
  }

  /// The fastest variant under every condition.
  func winners(_ geometry: String) -> [String] {
    let entries = [RowScope.attention, .step].flatMap {
      DecodeSection.conditions(run, geometry: geometry, scope: $0)
    }
    let rows = entries.compactMap { condition, rows -> [Table.Cell]? in
      guard condition.origin == .measured, let ranking = Ranking(rows, bootstrap) else {
        return nil
      }
      let rivals = ranking.tied.isEmpty ? "none" : Markdown.names(ranking.tied.map(\.variant))
      return [
        Table.Cell(condition.scope.rawValue), .whole(condition.context), .whole(condition.batch),
        Table.Cell(ranking.hasWinner ? "`\(ranking.fastest.variant)`" : "none"),
        .number(ranking.fastest.medianMs), Table.Cell(ranking.plainText),
        Table.Cell(ranking.hasWinner ? "" : ranking.fastest.variantLabel), Table.Cell(rivals),
      ]
    }
    guard !rows.isEmpty else { return [] }
    let table = Table(
      columns: [
        .init("scope", .left), .init("context"), .init("batch"), .init("winner", .left),
        .init("least median, ms"), .init("÷ mha [95 %]"), .init("least median of", .left),
        .init("not told apart from it", .left),
      ], rows: rows
    ).droppingEmptyColumns()
    return ["Step times of \(geometry), every condition:\n", table.render(.markdown)]
  }

  private func verb(_ names: [String]) -> String { names.count > 1 ? "are" : "is" }
}
