import Foundation
import Subprocess

/// The program that children of the search run: this one again, with a hidden subcommand.
public struct ChildProgram: Sendable, Hashable {
  /// Path of the executable.
  public let path: String
  /// Arguments before the request.
  public let arguments: [String]

  /// A program that ends in `MaxBatchChild.run(request:)` with the argument after `arguments`.
  public init(path: String, arguments: [String] = [MaxBatchChild.subcommand]) {
    self.path = path
    self.arguments = arguments
  }

  /// The running executable.
  public static var current: ChildProgram {
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return ChildProgram(path: link ?? ProcessInfo.processInfo.arguments[0])
  }

  /// How a child ended.
  enum Ending: Sendable, Hashable {
    /// It ran and answered.
    case ran(ChildReply)
    /// It was refused memory within its limit.
    case outOfMemory
    /// Somebody else's signal ended it, such as the system's when memory itself was short.
    case killed(signal: Int32)
    /// It was still running after its time and was ended.
    case timedOut
    /// It failed for another reason: one line.
    case failed(String)
  }

  /// Runs one child and waits for it, `patience` seconds at the most.
  func run(_ request: ChildRequest, patience: Double) async -> Ending {
    let configuration = Configuration(
      executable: .path(.init(path)),
      arguments: Arguments(arguments + [ChildCoding.text(request)]),
      environment: .inherit.updating(Self.settings))
    return await withTaskGroup(of: Ending?.self) { group in
      group.addTask { await Self.finish(configuration) }
      group.addTask {
        try? await Task.sleep(for: .seconds(patience))
        return nil
      }
      // Ctrl-C reaches a child of the same terminal, but not one whose parent alone was signalled.
      group.addTask {
        while !Task.isCancelled, !Interruption.isRequested {
          try? await Task.sleep(for: .milliseconds(50))
        }
        return nil
      }
      let first = await group.next() ?? nil
      // Cancelling ends the child.
      group.cancelAll()
      return first ?? .timedOut
    }
  }

  private static func finish(_ configuration: Configuration) async -> Ending {
    do {
      let result = try await Subprocess.run(
        configuration, input: .none, output: .string(limit: 1 << 16),
        error: .string(limit: 1 << 16))
      return ending(
        result.terminationStatus, output: result.standardOutput,
        errors: result.standardError)
    } catch {
      return .failed("the child could not be run: \(error)")
    }
  }

  static func ending(_ status: TerminationStatus, output: String, errors: String) -> Ending {
    switch status {
    case .exited(0):
      guard let reply = ChildCoding.value(ChildReply.self, from: output) else {
        return .failed("the child answered nothing that can be read")
      }
      return .ran(reply)
    case .exited(MaxBatchChild.outOfMemory):
      return .outOfMemory
    case .exited(let code):
      let line = errors.split(whereSeparator: \.isNewline).last.map(String.init) ?? "no message"
      return .failed("the child ended with code \(code): \(line)")
    case .signaled(let signal):
      // A kill or a termination comes from outside; anything else is a crash.
      if signal == 9 || signal == 15 || signal == 2 { return .killed(signal: signal) }
      let line = errors.split(whereSeparator: \.isNewline).last.map(String.init) ?? "no message"
      return .failed("the child crashed with signal \(signal): \(line)")
    }
  }

  /// One heap for all threads, that keeps what is freed and serves middling sizes itself (see
  /// `MaxBatchChild.heapReserve`); and no threads of the linear algebra library's own, each of
  /// which would take a buffer whenever it pleases.
  private static let settings: [Environment.Key: String?] = [
    "MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "1073741824",
    "MALLOC_MMAP_THRESHOLD_": "33554432", "MALLOC_TOP_PAD_": "1048576",
    "OPENBLAS_NUM_THREADS": "1",
  ]
}
