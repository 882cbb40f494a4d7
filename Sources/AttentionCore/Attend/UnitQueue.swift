import Synchronization

/// Hands the units of a call to its workers, in order, each to the one that asks first.
final class UnitQueue: Sendable {
  private let next = Atomic<Int>(0)

  /// Starts over; no worker may be under way.
  func restart() { next.store(0, ordering: .relaxed) }

  /// The next of `count` units for a worker that has another one still to do, or nil where that might keep it
  /// from one of the `workers` that is free.
  func claimAhead(of count: Int, workers: Int) -> Int? {
    guard next.load(ordering: .relaxed) + workers <= count else { return nil }
    return claim(of: count)
  }

  /// The next of `count` units, or nil when all are claimed.
  func claim(of count: Int) -> Int? {
    let unit = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return unit < count ? unit : nil
  }
}
