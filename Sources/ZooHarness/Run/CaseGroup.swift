import ZooRecords

/// Cases that are compared with each other, held in memory together and timed in turn.
struct CaseGroup: Sendable {
  /// The cases, in the order of the turn.
  var cases: [BenchCase]

  /// Packs cases into groups of one scope, context and batch that fit into `budget` together.
  /// - Parameters:
  ///   - bytes: what a case takes alone.
  ///   - shared: the part of it that cases of its scope share.
  static func groups(
    _ cases: [BenchCase], budget: Int, bytes: (BenchCase) -> Int, shared: (BenchCase) -> Int
  ) -> [CaseGroup] {
    var groups: [CaseGroup] = []
    var open: CaseGroup?
    var used = 0
    for bench in cases {
      let size = bytes(bench)
      if let first = open?.cases.first, first.scope == bench.scope,
        first.context == bench.context, first.batch == bench.batch,
        used + size - shared(bench) <= budget
      {
        open?.cases.append(bench)
        used += size - shared(bench)
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
