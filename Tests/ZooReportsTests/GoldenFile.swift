import Foundation
import Testing

/// Files that hold what a report must look like, byte for byte.
enum GoldenFile {
  /// Set to write the files anew instead of comparing; look at the difference before committing.
  static let variable = "ZOO_REGENERATE_GOLDEN"

  static func expect(_ text: String, matches name: String, file: String = #filePath) {
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent()
      .appendingPathComponent("Golden")
    let url = folder.appendingPathComponent(name)
    if ProcessInfo.processInfo.environment[variable] != nil {
      do {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try Data(text.utf8).write(to: url)
      } catch {
        Issue.record("\(name) could not be written: \(error)")
      }
      return
    }
    guard let golden = try? String(contentsOf: url, encoding: .utf8) else {
      Issue.record("\(name) is missing; run with \(variable)=1 to write it")
      return
    }
    if golden == text { return }
    let pairs = zip(golden.split(separator: "\n"), text.split(separator: "\n"))
    let first = pairs.first { $0 != $1 }
    Issue.record(
      "\(name) differs: expected \(first.map { String($0.0) } ?? "other length"), found \(first.map { String($0.1) } ?? "")"
    )
  }
}
