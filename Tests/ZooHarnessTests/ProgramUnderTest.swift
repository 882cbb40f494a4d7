import Foundation
import ZooHarness

/// The command line, which some tests run as a user or as a parent process would.
enum ProgramUnderTest {
  /// Its path; nil, with a printed reason, where it was not built beside the tests.
  static let path: String? = {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let beside = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    for folder in [beside, root.appendingPathComponent(".build/release")] {
      let path = folder.appendingPathComponent("attnzoo").path
      if FileManager.default.isExecutableFile(atPath: path) { return path }
    }
    print("tests of child processes are skipped: no attnzoo program beside the tests")
    return nil
  }()

  /// It as the child of a search.
  static var child: ChildProgram? { path.map { ChildProgram(path: $0) } }
}
