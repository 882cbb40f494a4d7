import ZooRecords

/// The rows of one machine and commit, one of each case, in a fixed order.
struct ReportRun: Sendable {
  let machine: MachineIdentity
  let rows: [ResultRow]
  private let orders: [String: VariantOrder]

  /// Splits rows into runs; the result does not depend on their order.
  static func runs(of rows: [ResultRow]) -> [ReportRun] {
    let grouped = Dictionary(grouping: rows.latestOfEachCase(), by: \.machine.identity)
    return grouped.keys.sorted().map { ReportRun(machine: $0, rows: grouped[$0] ?? []) }
  }

  /// A run of rows, variants in the order that `ordering` gives (the rows themselves, if nil).
  init(machine: MachineIdentity, rows: [ResultRow], ordering: [ResultRow]? = nil) {
    let orders = Dictionary(grouping: ordering ?? rows, by: \.geometry.name)
      .mapValues(VariantOrder.init)
    func place(_ row: ResultRow) -> Int {
      orders[row.geometry.name]?.place(row.variant) ?? 0
    }
    self.machine = machine
    self.orders = orders
    self.rows = rows.map { (Condition($0), $0) }.sorted { left, right in
      if left.0 != right.0 { return left.0 < right.0 }
      let places = (place(left.1), place(right.1))
      if places.0 != places.1 { return places.0 < places.1 }
      return (left.1.cacheLabel, left.1.caseID) < (right.1.cacheLabel, right.1.caseID)
    }.map(\.1)
  }

  /// The variants of a geometry, in order.
  func variants(of geometry: String) -> [String] { orders[geometry]?.names ?? [] }

  /// The place of a row's variant among those of its geometry, from 0; also its chart style.
  func place(_ row: ResultRow) -> Int { place(row.variant, of: row.geometry.name) }

  /// The place of a variant among those of a geometry, from 0; also its chart style.
  func place(_ variant: String, of geometry: String) -> Int {
    orders[geometry]?.place(variant) ?? 0
  }

  /// Rows by variant; rows of one variant keep their order.
  func byVariant(_ rows: [ResultRow]) -> [ResultRow] {
    rows.enumerated().sorted {
      (place($0.element), $0.offset) < (place($1.element), $1.offset)
    }.map(\.element)
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
