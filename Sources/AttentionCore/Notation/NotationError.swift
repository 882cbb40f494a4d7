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

  /// One printable line: long notation is cut, control characters are escaped.
  public var description: String {
    let shown = notation.count > 80 ? notation.prefix(79) + "…" : notation[...]
    return "\(shown): \(reason)".unicodeScalars.reduce(into: "") { line, scalar in
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator:
        line += scalar.escaped(asASCII: true)
      default:
        line.unicodeScalars.append(scalar)
      }
    }
  }
}
