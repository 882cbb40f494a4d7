import Foundation
import Subprocess

/// The commit that the running program was built from.
public enum SourceCommit {
  /// The environment's `ATTNZOO_COMMIT`; else the commit of the package that the executable lies
  /// in (or the working folder), with `-dirty` where its sources differ from it; else `unknown`.
  public static func current() async -> String {
    if let given = ProcessInfo.processInfo.environment["ATTNZOO_COMMIT"], !given.isEmpty {
      return given
    }
    let executable = ProcessInfo.processInfo.arguments.first ?? ""
    let resolved =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? executable
    let starts = [
      URL(fileURLWithPath: resolved).deletingLastPathComponent().path,
      FileManager.default.currentDirectoryPath,
    ]
    for start in starts {
      guard let root = packageRoot(above: start),
        let hash = await git(["rev-parse", "HEAD"], in: root)?.trimmed, !hash.isEmpty
      else { continue }
      let changes = await git(
        ["status", "--porcelain", "--", "Sources", "Package.swift"], in: root)
      return hash + (changes?.trimmed.isEmpty == true ? "" : "-dirty")
    }
    return "unknown"
  }

  /// The folder at or above `start` that holds this package's manifest.
  private static func packageRoot(above start: String) -> String? {
    var folder = URL(fileURLWithPath: start)
    for _ in 0..<32 {
      let manifest = folder.appendingPathComponent("Package.swift").path
      if let text = ProcessMemory.text(of: manifest), text.contains("name: \"AttentionZoo\"") {
        return folder.path
      }
      let parent = folder.deletingLastPathComponent()
      if parent.path == folder.path { return nil }
      folder = parent
    }
    return nil
  }

  private static func git(_ arguments: [String], in folder: String) async -> String? {
    guard
      let result = try? await run(
        .name("git"), arguments: Arguments(["-C", folder] + arguments), input: .none,
        output: .string(limit: 1 << 20), error: .discarded),
      result.terminationStatus.isSuccess
    else { return nil }
    return result.standardOutput
  }
}

extension String {
  var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
