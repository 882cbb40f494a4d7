/// A count that remembers whether it still fits into 64 bits, so that formulas read as formulas
/// and no size that a client gives can trap.
struct ExactCount: ExpressibleByIntegerLiteral {
  /// The count; nil once a step overflowed.
  let value: Int?

  init(_ value: Int) { self.value = value }
  init(integerLiteral value: Int) { self.value = value }
  private init(optional value: Int?) { self.value = value }

  static func * (left: ExactCount, right: ExactCount) -> ExactCount {
    guard let first = left.value, let second = right.value else { return ExactCount(optional: nil) }
    let (product, overflow) = first.multipliedReportingOverflow(by: second)
    return ExactCount(optional: overflow ? nil : product)
  }

  static func + (left: ExactCount, right: ExactCount) -> ExactCount {
    guard let first = left.value, let second = right.value else { return ExactCount(optional: nil) }
    let (sum, overflow) = first.addingReportingOverflow(second)
    return ExactCount(optional: overflow ? nil : sum)
  }

  static func += (left: inout ExactCount, right: ExactCount) { left = left + right }

  /// The count.
  /// - Throws: `PlannerError.overflow` that names `what`.
  func get(_ what: String) throws(PlannerError) -> Int {
    guard let value else { throw .overflow(what) }
    return value
  }
}
