import ZooRecords

/// Cases that are compared with each other, held in memory together and timed in turn.
struct CaseGroup: Sendable {
  /// The cases, in the order of the turn.
  var cases: [BenchCase]

  /// Packs cases into groups of one scope, context and batch that fit into `budget` together. The
  /// step scope runs variant after variant instead where the weights of all do not fit, so that
  /// each model is made once.
  static func groups(
    _ cases: [BenchCase], budget: Int, bytes: (BenchCase) -> Int
  ) -> [CaseGroup] {
    [RowScope.attention, .step].flatMap { scope in
      let members = cases.filter { $0.scope == scope }
      let packed = pack(members, budget: budget, bytes: bytes)
      let whole = Set(members.map { [$0.context, $0.batch] }).count == packed.count
      guard scope == .step, !whole else { return packed }
      var order: [BenchCase] = []
      for first in members where !order.contains(first) {
        order += members.filter { $0.variant == first.variant }
      }
      return order.map { CaseGroup(cases: [$0]) }
    }
  }

  private static func pack(
    _ cases: [BenchCase], budget: Int, bytes: (BenchCase) -> Int
  ) -> [CaseGroup] {
    var groups: [CaseGroup] = []
    var open: CaseGroup?
    var used = 0
    for bench in cases {
      let size = bytes(bench)
      if let first = open?.cases.first, first.context == bench.context,
        first.batch == bench.batch, used + size <= budget
      {
        open?.cases.append(bench)
        used += size
        continue
      }
      if let open { groups.append(open) }
      open = CaseGroup(cases: [bench])
      used = size
    }
    if let open { groups.append(open) }
    return groups
  }
}
