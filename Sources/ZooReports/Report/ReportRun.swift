import ZooRecords

/// The rows of one machine and commit, one of each case, in a fixed order.
struct ReportRun: Sendable {
  let machine: MachineIdentity
  let rows: [ResultRow]
  let order: VariantOrder

  /// Splits rows into runs; the result does not depend on their order.
  static func runs(of rows: [ResultRow]) -> [ReportRun] {
    let grouped = Dictionary(grouping: rows.latestOfEachCase(), by: \.machine.identity)
    return grouped.keys.sorted().map { ReportRun(machine: $0, rows: grouped[$0] ?? []) }
  }

  /// A run of rows, in the order of its own variants or of a wider set's.
  init(machine: MachineIdentity, rows: [ResultRow], order wider: VariantOrder? = nil) {
    let order = wider ?? VariantOrder(rows)
    self.machine = machine
    self.order = order
    self.rows = rows.map { (Condition($0), $0) }.sorted { left, right in
      if left.0 != right.0 { return left.0 < right.0 }
      let places = (order.place(left.1.variant), order.place(right.1.variant))
      if places.0 != places.1 { return places.0 < places.1 }
      return (left.1.cacheLabel, left.1.caseID) < (right.1.cacheLabel, right.1.caseID)
    }.map(\.1)
  }

  /// Rows that ran.
  var finished: [ResultRow] { rows.filter { $0.status == .ok } }

  /// The names of the geometries in rows, in order.
  static func geometries(_ rows: [ResultRow]) -> [String] {
    Array(Set(rows.map(\.geometry.name))).sorted()
  }

  /// Rows by condition, in order; rows keep their order.
  static func conditions(_ rows: [ResultRow]) -> [(condition: Condition, rows: [ResultRow])] {
    let grouped = Dictionary(grouping: rows, by: Condition.init)
    return grouped.keys.sorted().map { ($0, grouped[$0] ?? []) }
  }
}

extension ResultRow {
  /// `contiguous`, or `paged 16`.
  var cacheLabel: String {
    guard let cache else { return NumberText.missing }
    return cache.kind.rawValue + (cache.pageSize.map { " \($0)" } ?? "")
  }

  /// The variant as code, with a dagger where the machine was not stable.
  var variantLabel: String { "`\(variant)`" + (machine.stable == false ? " †" : "") }

  /// Median time between two tokens: the row's, else of its samples; ms.
  var medianMs: Double? {
    if let median = decode?.itlMs?.p50 { return median }
    guard let samples = decode?.samplesMs, !samples.isEmpty else { return nil }
    return Median.of(samples)
  }

  /// The ratio of this row's step time to another's; `nil` without enough samples.
  func timeRatio(to other: ResultRow, _ bootstrap: Bootstrap) -> RatioEstimate? {
    guard let own = decode?.samplesMs, let others = other.decode?.samplesMs else { return nil }
    let isPaired = decode?.round != nil && decode?.round == other.decode?.round
    return bootstrap.ratioOfMedians(own, to: others, isPaired: isPaired)
  }
}
