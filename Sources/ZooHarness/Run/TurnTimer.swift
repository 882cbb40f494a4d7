import ZooMemory

/// Times the steps of several cases in turn: round after round, one step of each, until every case
/// has had its steps or its seconds. Runs in segments, so that the machine can be probed between
/// them and only what it disturbed is timed again.
struct TurnTimer {
  let limits: Suite.Limits
  /// Asked between steps; true ends the timing.
  let stopped: () -> Bool

  /// Step times of each case kept so far; sample i of every case is of round i.
  private(set) var samples: [[StepTimes]]
  /// Nanoseconds of each case's kept steps.
  private var spent: [Int64]

  /// A timer without samples for `cases` cases.
  init(limits: Suite.Limits, cases: Int, stopped: @escaping () -> Bool) {
    self.limits = limits
    self.stopped = stopped
    samples = (0..<cases).map { _ in [] }
    spent = Array(repeating: 0, count: cases)
    for index in samples.indices { samples[index].reserveCapacity(limits.steps) }
  }

  /// Whether every case has had its steps or its seconds.
  var isDone: Bool { open.isEmpty }

  /// Cases that still want steps.
  private var open: [Int] {
    samples.indices.filter {
      samples[$0].count < limits.steps && Double(spent[$0]) < limits.seconds * 1e9
    }
  }

  /// Runs the untimed first steps of a case: `warmUp`, but one where it takes longer than a whole
  /// case may.
  func warmUp(_ bench: any DecodeCase) throws {
    for _ in 0..<limits.warmUp {
      if stopped() { return }
      let times = try bench.step()
      if Double(times.total) / 1e9 > limits.seconds { return }
    }
  }

  /// This timer with the rounds of one segment added: at least one round, and no further one once
  /// the seconds between two probes are over. Nil when stopped before the end.
  func segment(_ cases: [any DecodeCase]) throws -> TurnTimer? {
    var next = self
    let end = MonotonicClock.nanoseconds() + Int64(limits.secondsBetweenProbes * 1e9)
    var turn = next.open
    while !turn.isEmpty {
      for index in turn {
        if stopped() { return nil }
        let times = try cases[index].step()
        next.samples[index].append(times)
        next.spent[index] += times.total
      }
      if MonotonicClock.nanoseconds() >= end { break }
      turn = next.open
    }
    return next
  }
}
