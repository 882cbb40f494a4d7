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

  /// Runs to the end; `peak` is the most memory that it had resident, bytes.
  func runMeasured(_ arguments: [String]) throws -> (ending: Ending, peak: Int) {
    let (process, streams) = try process(arguments)
    try process.run()
    var peak = 0
    while process.isRunning {
      // The kernel's own high-water mark: nothing between two looks is missed but the very end.
      let status = try? String(
        contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
      let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      let kilobytes = line?.split(separator: " ").dropLast().last.flatMap { Int($0) }
      peak = max(peak, (kilobytes ?? 0) * 1024)
      Thread.sleep(forTimeInterval: 0.002)
    }
    return (try ending(process, streams), peak)
  }

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

  /// Runs with standard error on a terminal, and presses ctrl-C once `text` is shown there.
  /// - Returns: how it ended; `errors` is all that the terminal was sent.
  func interruptOnTerminal(_ arguments: [String], onceShown text: String) throws -> Ending {
    var (master, terminal): (Int32, Int32) = (-1, -1)
    try #require(openpty(&master, &terminal, nil, nil, nil) == 0)
    defer { close(master) }
    let (process, streams) = try process(arguments)
    process.standardError = FileHandle(fileDescriptor: terminal)
    try process.run()
    close(terminal)
    var shown: [UInt8] = []
    var isInterrupted = false
    let deadline = Date(timeIntervalSinceNow: 60)
    var buffer = [UInt8](repeating: 0, count: 4096)
    while Date() < deadline {
      var event = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
      guard poll(&event, 1, 1000) > 0 else { continue }
      let count = read(master, &buffer, buffer.count)
      // An error once nobody has the terminal open any more.
      guard count > 0 else { break }
      shown += buffer[..<count]
      if !isInterrupted, String(decoding: shown, as: UTF8.self).contains(text) {
        process.interrupt()
        isInterrupted = true
      }
    }
    #expect(isInterrupted, "\(text) was not shown: \(String(decoding: shown, as: UTF8.self))")
    if process.isRunning, !isInterrupted { process.terminate() }
    let ending = try ending(process, streams)
    return Ending(
      code: ending.code, wasSignalled: ending.wasSignalled, output: ending.output,
      errors: String(decoding: shown, as: UTF8.self))
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
