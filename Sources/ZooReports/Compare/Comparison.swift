import ZooRecords

/// Two sets of rows, case by case: what changed from A to B.
///
/// Cases are matched by their hash, which leaves out commit and machine. Ratios are B ÷ A.
public struct Comparison: Sendable, Hashable {
  /// What is compared.
  public enum Metric: String, Sendable, Hashable, CaseIterable {
    /// Median time between two tokens, by bootstrap over the raw samples; lower is better.
    case stepTime = "itl_ms"
    /// Time to first token: one value, so never a regression by itself; lower is better.
    case firstToken = "ttft_ms"
    /// Allocated cache bytes; exact, lower is better.
    case allocatedBytes = "allocated_bytes"
    /// Sequences that ran within the budget; exact, higher is better.
    case maxBatch = "max_batch"
    /// Bits per byte; exact for one seed, lower is better.
    case bitsPerByte = "bits_per_byte"

    /// The unit of its values.
    public var unit: String {
      switch self {
      case .stepTime, .firstToken: "ms"
      case .allocatedBytes: "B"
      case .maxBatch: "sequences"
      case .bitsPerByte: "bit/B"
      }
    }
  }

  /// One metric of a case in both files.
  public struct Entry: Sendable, Hashable {
    /// The case in B.
    public let row: ResultRow
    /// What is compared.
    public let metric: Metric
    /// A's value.
    public let before: Double
    /// B's value.
    public let after: Double
    /// The interval of B ÷ A, where samples allow one.
    public let estimate: RatioEstimate?
    /// Whether it got worse past the threshold, and the interval excludes 1 where there is one.
    public let isRegression: Bool
    /// Whether it got better by the same rule.
    public let isImprovement: Bool

    /// B ÷ A.
    public var ratio: Double { after / before }
  }

  /// A case that was `ok` in A and is not in B.
  public struct Loss: Sendable, Hashable {
    /// The case in B.
    public let row: ResultRow
  }

  /// Metrics of cases that are in both, in a fixed order.
  public let entries: [Entry]
  /// Cases that gave numbers in A and no longer do in B.
  public let losses: [Loss]
  /// Cases that are in both, whether or not they gave numbers.
  public let sharedCases: Int
  /// Cases only in A.
  public let onlyInA: [ResultRow]
  /// Cases only in B.
  public let onlyInB: [ResultRow]
  /// What makes the two hard to compare, such as other machines; one line each.
  public let warnings: [String]
  /// Allowed worsening: 0.05 is 5 %.
  public let threshold: Double

  /// Whether no case is in both, so that nothing was compared; the command line then exits 65.
  public var sharesNoCase: Bool { sharedCases == 0 }

  /// Whether anything got worse past the threshold; the command line then exits 1.
  public var hasRegression: Bool { !losses.isEmpty || entries.contains(where: \.isRegression) }

  /// Compares two sets of rows; of a case that ran again the latest row counts.
  ///
  /// - Parameters:
  ///   - before: A.
  ///   - after: B.
  ///   - threshold: Allowed worsening as a fraction, 0.05 by default.
  ///   - bootstrap: How intervals are drawn.
  public init(
    _ before: [ResultRow], _ after: [ResultRow], threshold: Double = 0.05,
    bootstrap: Bootstrap = Bootstrap()
  ) {
    let old = Self.byCase(before)
    let new = Self.byCase(after)
    func sorted(_ rows: [ResultRow]) -> [ResultRow] {
      rows.first.map {
        ReportRun(machine: $0.machine.identity, rows: rows, ordering: before + after).rows
      } ?? []
    }
    let shared = sorted(new.values.filter { old[$0.caseID] != nil })
    let comparer = CaseComparer(threshold: threshold, bootstrap: bootstrap)
    entries = shared.flatMap { row in
      old[row.caseID].map { comparer.entries($0, row) } ?? []
    }
    losses = shared.filter { $0.status != .ok && old[$0.caseID]?.status == .ok }.map(Loss.init)
    sharedCases = shared.count
    onlyInA = sorted(old.values.filter { new[$0.caseID] == nil })
    onlyInB = sorted(new.values.filter { old[$0.caseID] == nil })
    warnings = Self.warnings(before, after, shared: shared.count)
    self.threshold = threshold
  }

  /// The latest row of each case, whatever its commit and machine.
  private static func byCase(_ rows: [ResultRow]) -> [String: ResultRow] {
    var latest: [String: ResultRow] = [:]
    for row in rows.latestOfEachCase().sorted(by: { $0.machine.identity < $1.machine.identity }) {
      if let known = latest[row.caseID], known.machine.date > row.machine.date { continue }
      latest[row.caseID] = row
    }
    return latest
  }

  private static func warnings(
    _ before: [ResultRow], _ after: [ResultRow], shared: Int
  ) -> [String] {
    var warnings: [String] = []
    if shared == 0 { warnings.append("no case is in both") }
    func hardware(_ rows: [ResultRow]) -> [String] {
      Set(rows.map { "\($0.machine.cpu), \($0.machine.cores) cores, \($0.machine.isa)" }).sorted()
    }
    let machines = (hardware(before), hardware(after))
    if machines.0 != machines.1 {
      warnings.append(
        "the machines differ: \(machines.0.joined(separator: "; ")) and "
          + machines.1.joined(separator: "; "))
    }
    let unstable = (before + after).filter { $0.machine.stable == false }.count
    if unstable > 0 {
      warnings.append("\(unstable) rows were measured while the machine's speed changed")
    }
    return warnings
  }
}
