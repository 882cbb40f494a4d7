/// Finds the largest batch that runs, starting where computation says it is.
public struct BatchSearch: Sendable {
  /// The batch that should run while one more should not.
  public let computed: Int

  /// A search around a computed batch.
  public init(computed: Int) { self.computed = computed }

  /// The largest batch that runs; 0 where none does.
  ///
  /// One trial at `computed` and one after it where computation is right. Where the two disagree
  /// with it, the edge is bracketed by doubling steps and then bisected.
  /// - Parameter runs: whether a batch runs; larger ones need more.
  public func largest<Failure: Error>(
    runs: (Int) async throws(Failure) -> Bool
  ) async throws(Failure) -> Int {
    var good = max(computed, 1)
    guard try await runs(good) else {
      return try await below(good, runs: runs)
    }
    var step = 1
    while try await runs(good + step) {
      good += step
      step *= 2
    }
    return try await bisect(good: good, bad: good + step, runs: runs)
  }

  /// The largest batch below one that does not run.
  private func below<Failure: Error>(
    _ first: Int, runs: (Int) async throws(Failure) -> Bool
  ) async throws(Failure) -> Int {
    var bad = first
    var step = 1
    while bad - step > 0 {
      if try await runs(bad - step) {
        return try await bisect(good: bad - step, bad: bad, runs: runs)
      }
      bad -= step
      step *= 2
    }
    return try await bisect(good: 0, bad: bad, runs: runs)
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
