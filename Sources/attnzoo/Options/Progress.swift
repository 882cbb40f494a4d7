import Foundation
import ZooHarness

#if canImport(Glibc)
  import Glibc
#endif

/// Progress on standard error, only on a terminal and never while the clock runs.
struct ProgressLine: Sendable {
  private let isTerminal = isatty(2) == 1

  func show(_ progress: RunProgress) {
    show("[\(progress.done)/\(progress.total)] \(progress.next)")
  }

  func show(_ text: String) {
    guard isTerminal else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K\(text.prefix(100))".utf8))
  }

  func clear() {
    guard isTerminal else { return }
    FileHandle.standardError.write(Data("\r\u{1B}[K".utf8))
  }

  /// A line that stays, terminal or not.
  func note(_ text: String) {
    clear()
    FileHandle.standardError.write(Data("attnzoo: \(text)\n".utf8))
  }
}
