/// Finds the largest batch that runs, starting where computation says it is.
struct BatchSearch: Sendable {
  /// The batch that should run while one more should not.
  let computed: Int

  /// The largest batch that runs; 0 where none does.
  ///
  /// One trial at `computed` and one after it where computation is right. Where the two disagree
  /// with it, the edge is bracketed by doubling steps and then bisected.
  /// - Parameter runs: whether a batch runs; larger ones need more.
  func largest<Failure: Error>(
    runs: (Int) async throws(Failure) -> Bool
  ) async throws(Failure) -> Int {
    var good = 0
    var bad: Int
    if computed < 1 {
      bad = 1
      guard try await runs(1) else { return 0 }
      good = 1
    } else if try await runs(computed) {
      good = computed
    } else {
      bad = computed
      var step = 1
      while bad - step > 0 {
        let trial = bad - step
        if try await runs(trial) {
          return try await bisect(good: trial, bad: bad, runs: runs)
        }
        bad = trial
        step *= 2
      }
      return try await bisect(good: 0, bad: bad, runs: runs)
    }
    var step = 1
    while true {
      bad = good + step
      guard try await runs(bad) else { break }
      good = bad
      step *= 2
    }
    return try await bisect(good: good, bad: bad, runs: runs)
  }

  private func bisect<Failure: Error>(
    good: Int, bad: Int, runs: (Int) async throws(Failure) -> Bool
  ) async throws(Failure) -> Int {
    var (good, bad) = (good, bad)
    while bad - good > 1 {
      let middle = good + (bad - good) / 2
      if try await runs(middle) { good = middle } else { bad = middle }
    }
    return good
  }
}
