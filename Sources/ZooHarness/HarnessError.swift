/// Why a suite cannot be read or a run cannot go on: one line, and the exit code of the command
/// line.
public struct HarnessError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What went wrong, which decides the exit code.
  public enum Kind: Sendable, Hashable {
    /// Flags that contradict each other or name nothing.
    case usage
    /// A suite or a text that is there but not what it must be.
    case badData
    /// A file that is not there or cannot be read.
    case inputMissing
    /// A fault of the program itself.
    case internalError
    /// A file or folder that cannot be written.
    case cannotWrite
    /// The system gave no memory.
    case outOfMemory
    /// Ctrl-C.
    case interrupted
  }

  /// What went wrong.
  public let kind: Kind
  /// One line: the thing, the place and what was expected.
  public let message: String

  /// An error of a kind with its line.
  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  /// The exit code of the command line.
  public var exitCode: Int32 {
    switch kind {
    case .usage: 64
    case .badData: 65
    case .inputMissing: 66
    case .internalError: 70
    case .cannotWrite: 73
    case .outOfMemory: 75
    case .interrupted: 130
    }
  }

  /// The line.
  public var description: String { message }
}
