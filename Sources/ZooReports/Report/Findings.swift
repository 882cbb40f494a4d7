import ZooRecords

/// "What this says", computed from the rows.
struct Findings: Sendable {
  let run: ReportRun
  let bootstrap: Bootstrap

  func parts() -> [String] {
    let geometries = ReportRun.geometries(run.finished.filter { $0.scope != .fidelity })
    var items = geometries.flatMap { geometry in
      [cacheBytes(geometry)] + [RowScope.attention, .step].map { fastest(geometry, $0) }
        + [maxBatch(geometry), bounds(geometry), otherDevices(geometry)]
    }
    items += FidelitySection.groups(run).map(quality)
    items.append(leftOut())
    return [Markdown.list(items.filter { !$0.isEmpty })]
      + geometries.flatMap { winners($0) }
  }

  private func cacheBytes(_ geometry: String) -> String {
    let rows = run.finished.filter {
      $0.geometry.name == geometry && $0.scope != .fidelity && $0.kv?.idealBytesPerToken != nil
    }
    guard let context = rows.map(\.context).max() else { return "" }
    let longest = rows.filter { $0.context == context }
    func bytes(_ row: ResultRow) -> Double { row.kv?.idealBytesPerToken ?? 0 }
    guard let least = longest.min(by: { (bytes($0), $0.variant) < (bytes($1), $1.variant) }) else {
      return ""
    }
    let sameBytes = Set(longest.filter { bytes($0) == bytes(least) }.map(\.variant)).sorted {
      run.place($0, of: geometry) < run.place($1, of: geometry)
    }
    let plain = VariantName.reference(base: "mha", among: longest.map(\.variant))
    var text =
      "**Bytes.** \(geometry) at \(NumberText.whole(context)) tokens: "
      + "\(Markdown.names(sameBytes)) \(sameBytes.count > 1 ? "keep" : "keeps") the fewest cache "
      + "bytes, \(NumberText.plain(bytes(least))) B a token"
    if let whole = longest.first(where: { $0.variant == plain }), bytes(whole) > 0,
      whole.variant != least.variant
    {
      text += ", \(NumberText.ratio(bytes(least) / bytes(whole))) of `\(whole.variant)`"
    }
    return text + "."
  }

  /// A sentence for the longest context at each batch.
  private func fastest(_ geometry: String, _ scope: RowScope) -> String {
    let conditions = DecodeSection.conditions(run, geometry: geometry, scope: scope)
      .filter { $0.condition.origin == .measured }
    guard let context = conditions.map(\.condition.context).max() else { return "" }
    let sentences = conditions.filter { $0.condition.context == context }.compactMap { entry in
      Ranking(entry.rows, bootstrap).map { sentence($0, entry.condition) }
    }
    guard !sentences.isEmpty else { return "" }
    let what = scope == .attention ? "Attention" : "Decode step"
    return "**\(what)** of \(geometry) on \(run.machine.cpu). " + sentences.joined(separator: " ")
  }

  private func sentence(_ ranking: Ranking, _ condition: Condition) -> String {
    let time = NumberText.significant(ranking.fastest.medianMs)
    var text = "\(condition.title): "
    if ranking.hasWinner {
      text += "`\(ranking.fastest.variant)` is the fastest of \(ranking.count) at \(time) ms a step"
      if ranking.toPlain != nil {
        text += ", \(ranking.plainText) the time of `\(ranking.plain ?? "mha")`"
      }
    } else if ranking.tied.isEmpty {
      text += "no winner: `\(ranking.fastest.variant)` has the least median (\(time) ms a step), "
      text += "but the machine was not stable"
    } else {
      text += "no winner: the samples do not tell `\(ranking.fastest.variant)` (\(time) ms a step) "
      text += "from \(Markdown.names(ranking.tied.map(\.variant)))"
    }
    return text + (ranking.isPaired ? "." : " (not measured in turn: intervals without pairs).")
  }

  private func maxBatch(_ geometry: String) -> String {
    let searches = MaxBatchSection.searches(run, geometry: geometry)
    guard let longest = searches.last else { return "" }
    let rows = longest.rows
    guard let most = rows.compactMap(\.largestBatch).max(), most > 0 else { return "" }
    let best = rows.filter { $0.largestBatch == most }
    let plain = VariantName.reference(base: "mha", among: rows.map(\.variant))
    let isMeasured = best.allSatisfy { $0.maxBatch?.measured != nil }
    var text =
      "**Max batch.** Within \(longest.search.budget) at "
      + "\(NumberText.whole(longest.search.context)) tokens, \(Markdown.names(best.map(\.variant))) "
      + "\(best.count > 1 ? "fit" : "fits") the most sequences: \(NumberText.whole(most))"
      + (isMeasured ? ", measured" : ", computed")
    if let whole = rows.first(where: { $0.variant == plain })?.largestBatch {
      text += " (`\(plain ?? "mha")`: \(NumberText.whole(whole)))"
    }
    text += "."
    let rates = rows.compactMap { row in
      row.maxBatch?.tokensPerSecondAtMax.map { (row: row, rate: $0) }
    }
    if let top = rates.max(by: { ($0.rate, $1.row.variant) < ($1.rate, $0.row.variant) }) {
      let origin = top.row.maxBatch?.rateOrigin ?? top.row.origin
      text +=
        " At its largest batch `\(top.row.variant)` gives the most tokens/s: "
        + "\(NumberText.significant(top.rate)), \(origin.rawValue); one run, no interval."
    }
    let missed = rows.filter { row in
      guard let computed = row.maxBatch?.computed, let measured = row.maxBatch?.measured else {
        return false
      }
      return abs(computed - measured) > max(1, measured / 50)
    }
    if !missed.isEmpty {
      text +=
        " Computed and measured differ by more than 2 % and one sequence for "
        + Markdown.names(missed.map(\.variant)) + ": the computed side is wrong."
    }
    return text
  }

  /// Fidelity sentences stay within one kind.
  private func quality(
    _ group: (geometry: String, kind: FidelityKind, rows: [ResultRow])
  ) -> String {
    let scored = group.rows.compactMap { row in
      row.fidelity?.bitsPerByte.map { (row: row, bits: $0) }
    }.sorted { ($0.bits, $0.row.variant) < ($1.bits, $1.row.variant) }
    guard let first = scored.first, let last = scored.last, scored.count > 1 else { return "" }
    func text(_ entry: (row: ResultRow, bits: Double)) -> String {
      "`\(entry.row.variant)` \(NumberText.fixed(entry.bits, decimals: 4))"
    }
    let note =
      group.kind == .trainingFree ? " This does not rank trained variants." : ""
    return "**Fidelity** (\(FidelitySection.title(of: group.kind)), \(group.geometry)): from "
      + "\(text(first)) to \(text(last)) bits per byte over \(scored.count) variants.\(note)"
  }

  private func leftOut() -> String {
    let count = run.rows.filter { $0.status != .ok }.count
    guard count > 0 else { return "" }
    return "\(count) case\(count == 1 ? "" : "s") gave no numbers; each is listed below with "
      + "its reason."
  }
}
