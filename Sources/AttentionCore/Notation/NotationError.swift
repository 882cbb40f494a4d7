/// A piece of notation that has no meaning, by itself or on a geometry.
public struct NotationError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The notation as given.
  public let notation: String
  /// What is wrong and what was expected, one line.
  public let reason: String

  public init(notation: String, reason: String) {
    self.notation = notation
    self.reason = reason
  }

  public var description: String { "\(notation): \(reason)" }
}
