import Foundation
import ZooHarness

#if canImport(Glibc)
  import Glibc
#endif

/// Progress on standard error, only on a terminal and never while the clock runs.
struct ProgressLine: Sendable {
  private let isTerminal = isatty(2) == 1

  func show(_ progress: RunProgress) {
    let bar = progress.part.map { Self.bar($0) + " " } ?? ""
    show("[\(progress.done)/\(progress.total)] \(bar)\(progress.next)")
  }

  /// `[#####···············]`
  private static func bar(_ part: Double) -> String {
    let width = 20
    let full = min(width, max(0, Int(part * Double(width))))
    return "[" + String(repeating: "#", count: full) + String(repeating: "·", count: width - full)
      + "]"
  }

  func show(_ text: String) {
    guard isTerminal else { return }
    StandardStreams.message("\r\u{1B}[K\(text.prefix(100))")
  }

  func clear() {
    guard isTerminal else { return }
    StandardStreams.message("\r\u{1B}[K")
  }

  /// A line that stays, terminal or not.
  func note(_ text: String) {
    clear()
    StandardStreams.message("attnzoo: \(text)\n")
  }
}
