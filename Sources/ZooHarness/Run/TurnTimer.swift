/// Times the steps of several cases in turn: round after round, one step of each, until every case
/// has had its steps or its seconds.
struct TurnTimer {
  let limits: Suite.Limits
  /// Asked between steps; true ends the timing.
  let stopped: () -> Bool

  /// Runs the untimed first steps of a case: `warmUp`, but one where it takes longer than a whole
  /// case may.
  func warmUp(_ bench: any DecodeCase) throws {
    for _ in 0..<limits.warmUp {
      if stopped() { return }
      let times = try bench.step()
      if Double(times.total) / 1e9 > limits.seconds { return }
    }
  }

  /// The times of each case's steps; nil when stopped before the end.
  func run(_ cases: [any DecodeCase]) throws -> [[StepTimes]]? {
    var samples = cases.map { _ in [StepTimes]() }
    for index in samples.indices { samples[index].reserveCapacity(limits.steps) }
    var spent = cases.map { _ in Int64(0) }
    let most = Int64(limits.seconds * 1e9)
    var open = Array(cases.indices)
    while !open.isEmpty {
      for index in open {
        if stopped() { return nil }
        let times = try cases[index].step()
        samples[index].append(times)
        spent[index] += times.total
      }
      open.removeAll { samples[$0].count >= limits.steps || spent[$0] >= most }
    }
    return samples
  }
}
