/// The roofs that were probed around what a group of cases measured.
struct ProbedRoofs {
  /// The latest probe.
  var last: MachineRoofs
  /// Probes before and after each stretch that was kept, and its seconds.
  private var stretches: [(before: MachineRoofs, after: MachineRoofs, seconds: Double)] = []

  init(_ first: MachineRoofs) {
    last = first
  }

  /// Keeps what was measured since the last probe.
  mutating func keep(until after: MachineRoofs, seconds: Double) {
    stretches.append((last, after, max(seconds, 1e-9)))
    last = after
  }

  /// The mean over the time kept.
  var mean: MachineRoofs {
    let total = stretches.reduce(0) { $0 + $1.seconds }
    guard total > 0 else { return last }
    func mean(_ roof: (MachineRoofs) -> Double) -> Double {
      stretches.reduce(0) { $0 + (roof($1.before) + roof($1.after)) / 2 * $1.seconds } / total
    }
    return MachineRoofs(
      readGBPerSecond: mean(\.readGBPerSecond), peakGFLOPPerSecond: mean(\.peakGFLOPPerSecond))
  }

  /// Whether all probes around what was kept agree with each other.
  var areStable: Bool {
    let kept = stretches.flatMap { [$0.before, $0.after] }
    func extremes(_ roof: (MachineRoofs) -> Double) -> (Double, Double) {
      (kept.map(roof).min() ?? 0, kept.map(roof).max() ?? 0)
    }
    let (slow, fast) = extremes(\.readGBPerSecond)
    let (low, high) = extremes(\.peakGFLOPPerSecond)
    return MachineRoofs(readGBPerSecond: slow, peakGFLOPPerSecond: low).agrees(
      with: MachineRoofs(readGBPerSecond: fast, peakGFLOPPerSecond: high))
  }
}
