import ZooRecords

/// What a variant of one model costs and what it loses, in one line: bytes, latency, largest batch and
/// quality of the same geometry. It ranks nothing, since kinds of quality are not compared.
struct SideBySideSection: Sendable {
  let run: ReportRun
  let geometry: String
  let bootstrap: Bootstrap

  /// Nothing unless the geometry has both quality and cost.
  func parts() -> [String] {
    let fidelity = run.byVariant(
      run.finished.filter { $0.geometry.name == geometry && $0.fidelity != nil })
    let decode = decodeRows()
    let search = MaxBatchSection.searches(run, geometry: geometry).last
    guard !fidelity.isEmpty, decode != nil || search != nil else { return [] }
    let own = fidelity.first.map(\.geometry.ownVariant)
    let base = own.flatMap { own in
      VariantName.reference(
        base: VariantName.base(own), among: (decode?.rows ?? []).map(\.variant))
    }
    let reference = decode?.rows.first { $0.variant == base }
    let table = Table(
      columns: columns(decode, base),
      rows: fidelity.map { row in
        let step = decode?.rows.first { $0.variant == row.variant }
        let largest = search?.rows.first { $0.variant == row.variant }
        return cost(step ?? largest ?? row, step, reference, largest) + quality(row)
      }
    ).droppingEmptyColumns()
    return [lead(decode?.condition, search?.search), table.render(.markdown)]
  }

  /// The rows of the longest context at the smallest batch, whole steps where there are any.
  private func decodeRows() -> (condition: Condition, rows: [ResultRow])? {
    for scope in [RowScope.step, .attention] {
      let all = DecodeSection.conditions(run, geometry: geometry, scope: scope)
      guard let context = all.map(\.condition.context).max() else { continue }
      return all.first { $0.condition.context == context }
    }
    return nil
  }

  private func columns(
    _ decode: (condition: Condition, rows: [ResultRow])?, _ base: String?
  ) -> [Table.Column] {
    let what = decode?.condition.scope == .attention ? "attention" : "step"
    return [
      .init("variant", .left), .init("ideal, B/token"), .init("allocated"),
      .init("\(what) p50, ms"), .init("÷ \(base ?? "own") [95 %]"),
      .init("time to first token, ms"),
      .init("largest batch"), .init("tokens/s at it"), .init("quality", .left),
      .init("bits per byte"), .init("change [95 %]"), .init("nats per token"),
      .init("change a token [95 %]"), .init("mean KL, nats"), .init("top-1 agreement"),
    ]
  }

  private func cost(
    _ bytes: ResultRow, _ step: ResultRow?, _ reference: ResultRow?, _ largest: ResultRow?
  ) -> [Table.Cell] {
    var ratio = Table.Cell(NumberText.missing)
    if let step, let reference {
      ratio =
        step.caseID == reference.caseID
        ? "1×"
        : Table.Cell(step.timeRatio(to: reference, bootstrap)?.text ?? NumberText.missing)
    }
    return [
      Table.Cell("`\(bytes.variant)`"),
      .init(NumberText.plain(bytes.kv?.idealBytesPerToken), value: bytes.kv?.idealBytesPerToken),
      .bytes(step?.kv?.allocatedBytes), .number(step?.medianMs), ratio,
      .number(run.firstToken(of: bytes)), .whole(largest?.largestBatch),
      .number(largest?.maxBatch?.tokensPerSecondAtMax),
    ]
  }

  private func quality(_ row: ResultRow) -> [Table.Cell] {
    let fidelity = row.fidelity
    return [
      Table.Cell(fidelity?.kind.rawValue ?? NumberText.missing),
      .init(NumberText.fixed(fidelity?.bitsPerByte, decimals: 4), value: fidelity?.bitsPerByte),
      Table.Cell(fidelity?.bitsPerByteChangeText ?? NumberText.missing),
      .number(fidelity?.natsPerToken, digits: 4),
      Table.Cell(fidelity?.natsPerTokenChangeText ?? NumberText.missing), .number(fidelity?.meanKL),
      .init(NumberText.fixed(fidelity?.top1Agreement, decimals: 4), value: fidelity?.top1Agreement),
    ]
  }

  private func lead(_ condition: Condition?, _ search: MaxBatchSection.Search?) -> String {
    var parts: [String] = []
    if let condition {
      parts.append(
        "Time and allocated bytes at \(condition.title) (\(condition.details))")
    }
    if let search {
      parts.append(
        "the largest batch at \(NumberText.whole(search.context)) tokens a sequence within "
          + search.budget)
    }
    return parts.joined(separator: "; ")
      + ". Quality is the model's own, compared within one kind only.\n"
  }
}

extension ReportRun {
  /// Time to first token of a variant on its geometry, ms, of the longest prompt.
  func firstToken(of row: ResultRow) -> Double? {
    finished.filter {
      $0.geometry.name == row.geometry.name && $0.variant == row.variant
        && $0.prefill?.ttftMs != nil
    }.max { ($0.prefill?.tokens ?? 0) < ($1.prefill?.tokens ?? 0) }?.prefill?.ttftMs
  }
}

extension ResultRow.Fidelity {
  /// `+0.0123 [+0.0100, +0.0150]`: bits per byte less the reference's.
  var bitsPerByteChangeText: String? {
    Self.change(bitsPerByte, referenceBitsPerByte, bitsPerByteChange)
  }

  /// The same for nats per token.
  var natsPerTokenChangeText: String? {
    Self.change(natsPerToken, referenceNatsPerToken, natsPerTokenChange)
  }

  private static func change(
    _ own: Double?, _ reference: Double?, _ ends: ResultRow.Interval?
  ) -> String? {
    guard let own, let reference else { return nil }
    func signed(_ value: Double) -> String {
      (value >= 0 ? "+" : "") + NumberText.fixed(value, decimals: 4)
    }
    let middle = signed(own - reference)
    guard let ends else { return middle }
    return "\(middle) [\(signed(ends.low)), \(signed(ends.high))]"
  }
}
