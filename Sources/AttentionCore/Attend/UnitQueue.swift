import Synchronization

/// Hands the units of a call to its workers, in order, each to the one that asks first.
final class UnitQueue: Sendable {
  private let next = Atomic<Int>(0)

  /// Starts over; no worker may be under way.
  func restart() { next.store(0, ordering: .relaxed) }

  /// The next of `count` units, or nil when all are claimed.
  func claim(of count: Int) -> Int? {
    let unit = next.wrappingAdd(1, ordering: .relaxed).oldValue
    return unit < count ? unit : nil
  }
}
