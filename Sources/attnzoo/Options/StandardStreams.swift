import Foundation
import ZooHarness

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Standard output and standard error, written without a buffer between: a full disk or a reader
/// that went away is an error like any other, never a trap and never silence.
enum StandardStreams {
  /// Writes results.
  /// - Throws: `HarnessError` (`cannotWrite`).
  static func output(_ bytes: some Sequence<UInt8>) throws(HarnessError) {
    guard let problem = write(Array(bytes), to: STDOUT_FILENO) else { return }
    throw HarnessError(
      .cannotWrite, "standard output: expected to be written whole: \(problem)")
  }

  /// Writes results.
  /// - Throws: `HarnessError` (`cannotWrite`).
  static func output(_ text: String) throws(HarnessError) { try output(text.utf8) }

  /// Writes progress or a message; where nobody can read it, nothing is lost.
  static func message(_ text: String) { _ = write(Array(text.utf8), to: STDERR_FILENO) }

  /// Writes all bytes; what the system says where it does not take them.
  private static func write(_ bytes: [UInt8], to descriptor: Int32) -> String? {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return String(cString: strerror(errno)) }
      rest = rest.dropFirst(count)
    }
    return nil
  }
}
