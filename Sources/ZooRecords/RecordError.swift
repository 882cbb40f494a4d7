/// A record that cannot be read or written: one line with the file, the place and what was
/// expected there.
public struct RecordError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, which decides the exit code.
  public enum Kind: Sendable, Hashable {
    /// The file is there but its content is not what it must be.
    case badData
    /// The file is not there or cannot be opened for reading.
    case inputMissing
    /// The file or its folder cannot be written.
    case cannotWrite
    /// A value that cannot be a record, such as a number that is not finite.
    case unencodable
  }

  /// What went wrong.
  public let kind: Kind
  /// Path of the file.
  public let file: String
  /// Where in the file, such as `line 3, status`; empty when it is about the whole file.
  public let place: String
  /// What was expected there, or what the system answered.
  public let expected: String

  /// An error at a place of a file.
  public init(kind: Kind, file: String, place: String = "", expected: String) {
    self.kind = kind
    self.file = file
    self.place = place
    self.expected = expected
  }

  /// The exit code of the command line: 65 bad data, 66 input missing, 73 output cannot be
  /// written, 70 internal error.
  public var exitCode: Int32 {
    switch kind {
    case .badData: 65
    case .inputMissing: 66
    case .cannotWrite: 73
    case .unencodable: 70
    }
  }

  /// `file: place: expected`, on one line.
  public var description: String {
    [file, place, expected].filter { !$0.isEmpty }.joined(separator: ": ")
  }
}
