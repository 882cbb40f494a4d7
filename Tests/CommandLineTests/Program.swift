import Foundation
import Testing

/// The built `attnzoo`, run as a user would.
struct Program: Sendable {
  /// How a run ended.
  struct Ending: Sendable {
    let code: Int32
    /// Whether a signal ended it, such as that of a trap.
    let wasSignalled: Bool
    let output: [UInt8]
    let errors: String

    var text: String { String(decoding: output, as: UTF8.self) }
    var lines: [Substring] { text.split(whereSeparator: \.isNewline) }
    var errorLines: [Substring] { errors.split(whereSeparator: \.isNewline) }
  }

  struct NotBuilt: Error, CustomStringConvertible {
    let description = "attnzoo was not found above or beside the test bundle; build it first"
  }

  let path: String
  /// Where relative paths start.
  var folder: String?

  /// Finds the program beside the test bundle, or in a folder above it.
  init(in folder: TemporaryFolder? = nil) throws {
    self.folder = folder?.path
    let own = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    for start in [own, CommandLine.arguments.first].compactMap({ $0 }) {
      var place = URL(fileURLWithPath: start).standardizedFileURL
      for _ in 0..<6 {
        place.deleteLastPathComponent()
        let candidate = place.appendingPathComponent("attnzoo").path
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder),
          !isFolder.boolValue, FileManager.default.isExecutableFile(atPath: candidate)
        {
          path = candidate
          return
        }
      }
    }
    throw NotBuilt()
  }

  /// A process ready to run, its streams going to files, so that no pipe can fill up.
  private func process(_ arguments: [String], executable: String? = nil) throws -> (
    Process, TemporaryFolder
  ) {
    let streams = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: executable ?? path)
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = URL(fileURLWithPath: folder) }
    var environment = ProcessInfo.processInfo.environment
    // One name for the sources, so that a second run may go on with the rows of the first.
    environment["ATTNZOO_COMMIT"] = "0123456789abcdef"
    environment["SWIFT_BACKTRACE"] = "enable=no"
    process.environment = environment
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle(forWritingAtPath: try streams.write("", to: "out"))
    process.standardError = FileHandle(forWritingAtPath: try streams.write("", to: "err"))
    return (process, streams)
  }

  private func ending(_ process: Process, _ streams: TemporaryFolder) throws -> Ending {
    process.waitUntilExit()
    return Ending(
      code: process.terminationStatus,
      wasSignalled: process.terminationReason == .uncaughtSignal,
      output: Array(try Data(contentsOf: URL(fileURLWithPath: streams("out")))),
      errors: String(
        decoding: try Data(contentsOf: URL(fileURLWithPath: streams("err"))), as: UTF8.self))
  }

  /// Runs to the end.
  func run(_ arguments: [String]) throws -> Ending {
    let (process, streams) = try process(arguments)
    try process.run()
    return try ending(process, streams)
  }

  func run(_ arguments: String...) throws -> Ending { try run(arguments) }

  /// Runs a line of shell in which `$ATTNZOO` is the program.
  func shell(_ line: String) throws -> Ending {
    let (process, streams) = try process(["-c", line], executable: "/bin/sh")
    process.environment?["ATTNZOO"] = path
    try process.run()
    return try ending(process, streams)
  }

  /// Runs, and presses ctrl-C once `ready` holds; fails where it does not within some seconds.
  func interrupt(_ arguments: [String], once ready: () -> Bool) throws -> Ending {
    let (process, streams) = try process(arguments)
    try process.run()
    let deadline = Date(timeIntervalSinceNow: 30)
    while process.isRunning, !ready(), Date() < deadline { Thread.sleep(forTimeInterval: 0.01) }
    #expect(process.isRunning, "it ended before it could be interrupted")
    process.interrupt()
    return try ending(process, streams)
  }

  /// Expects a run to be refused with a code and one line on standard error that holds `parts`,
  /// and nothing on standard output.
  @discardableResult
  func refuses(
    _ arguments: [String], _ code: Int32, _ parts: String...,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws -> Ending {
    let ending = try run(arguments)
    let comment = Comment(rawValue: "\(arguments.joined(separator: " ")): \(ending.errors)")
    #expect(!ending.wasSignalled, comment, sourceLocation: sourceLocation)
    #expect(ending.code == code, comment, sourceLocation: sourceLocation)
    #expect(ending.output.isEmpty, comment, sourceLocation: sourceLocation)
    #expect(ending.errorLines.count == 1, comment, sourceLocation: sourceLocation)
    #expect(ending.errors.hasPrefix("attnzoo: "), comment, sourceLocation: sourceLocation)
    for part in parts {
      #expect(ending.errors.contains(part), comment, sourceLocation: sourceLocation)
    }
    return ending
  }
}
