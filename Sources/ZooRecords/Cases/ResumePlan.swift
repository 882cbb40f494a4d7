/// Which cases of a file of rows need not run again.
public struct ResumePlan: Sendable, Hashable {
  /// Hashes of the cases that are done.
  public let finished: Set<String>
  /// Whether new rows may be appended to the same file; if not, a new file is needed.
  public let mayAppend: Bool

  /// A plan for going on with `rows` on a machine.
  ///
  /// Only `ok` rows of the same commit and machine are done. Changed sources (a commit that is
  /// empty or ends in `-dirty`) may differ between two runs of one name, so nothing is skipped.
  public init(rows: [ResultRow], on machine: MachineIdentity) {
    let traceable = !machine.commit.isEmpty && !machine.commit.hasSuffix("-dirty")
    mayAppend = rows.allSatisfy { traceable && $0.machine.identity == machine }
    finished =
      traceable
      ? Set(
        rows.filter { $0.status == .ok && $0.machine.identity == machine }.map(\.caseID))
      : []
  }

  /// Whether a case is done.
  public func skips(_ caseID: String) -> Bool { finished.contains(caseID) }
}

private struct CaseOnMachine: Hashable {
  let caseID: String
  let machine: MachineIdentity
}

extension Collection where Element == ResultRow {
  /// One row for each case, machine and commit: the latest by date, where a case ran again.
  ///
  /// The result does not depend on the order of the rows, except in its own order, which keeps
  /// the place of the row that stays.
  public func latestOfEachCase() -> [ResultRow] {
    var newest: [CaseOnMachine: (place: Int, row: ResultRow)] = [:]
    for (place, row) in enumerated() {
      let key = CaseOnMachine(caseID: row.caseID, machine: row.machine.identity)
      if let known = newest[key]?.row, !known.isOlder(than: row) { continue }
      newest[key] = (place, row)
    }
    return newest.values.sorted { $0.place < $1.place }.map(\.row)
  }
}

extension ResultRow {
  fileprivate func isOlder(than other: ResultRow) -> Bool {
    if machine.date != other.machine.date { return machine.date < other.machine.date }
    if (status == .ok) != (other.status == .ok) { return other.status == .ok }
    let own = (try? RowCoding.line(of: self)) ?? ""
    let others = (try? RowCoding.line(of: other)) ?? ""
    return own < others
  }
}
