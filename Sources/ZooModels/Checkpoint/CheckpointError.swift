import Foundation

/// What is wrong with a checkpoint, a configuration or an evaluation text: one line that names the
/// file, the place in it, what was found there and what was expected.
public struct CheckpointError: Error, Hashable, Sendable {
  /// The class of the error, which decides the exit code.
  public enum Kind: Hashable, Sendable {
    /// An input file or folder is absent or cannot be opened.
    case missing
    /// A file is there and breaks its format, or does not fit the model.
    case malformed
    /// A file is sound and asks for something that this package does not do yet.
    case unsupported
    /// A weight is NaN or infinite.
    case nonFinite
    /// An output file or folder cannot be written.
    case cannotWrite
    /// The caller broke the contract of a writer, for example left out a declared tensor.
    case misuse
  }

  /// The class of the error.
  public let kind: Kind
  /// The path of the file, as the caller gave it.
  public let file: String
  /// The place in the file: a tensor, a key, a byte; empty where the error is about the whole file.
  public let place: String
  /// What was found there.
  public let found: String
  /// What was expected instead.
  public let expected: String

  /// Makes an error from its parts.
  public init(kind: Kind, file: String, place: String, found: String, expected: String) {
    self.kind = kind
    self.file = file
    self.place = place
    self.found = found
    self.expected = expected
  }

  /// The exit code of a command that ends with this error: 65 bad data, 66 input missing, 70 internal
  /// error, 73 output cannot be written.
  public var exitCode: Int32 {
    switch kind {
    case .missing: 66
    case .malformed, .unsupported, .nonFinite: 65
    case .cannotWrite: 73
    case .misuse: 70
    }
  }
}

extension CheckpointError: CustomStringConvertible, LocalizedError {
  /// The error as one line, free of control characters whatever the file held.
  public var description: String {
    let place = place.isEmpty ? "" : "\(place): "
    let verb = kind == .unsupported ? "not supported yet:" : "found"
    return Self.oneLine("\(file): \(place)\(verb) \(found), expected \(expected)")
  }

  /// The same line as ``description``.
  public var errorDescription: String? { description }

  /// `text` in quotation marks, shortened, so that a hostile name stays readable.
  static func quoted(_ text: String) -> String {
    let limit = 160
    var result = "\""
    for (count, scalar) in text.unicodeScalars.enumerated() {
      if count == limit {
        result += "…"
        break
      }
      if scalar == "\"" || scalar == "\\" { result += "\\" }
      result.unicodeScalars.append(scalar)
    }
    return oneLine(result + "\"")
  }

  /// `text` with control, line-breaking and direction-changing characters written as escapes.
  private static func oneLine(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      default:
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
