import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooMemory
import ZooModels
import ZooPlanner
import ZooRecords

/// The command line. Results go to standard output, progress and errors to standard error.
@main
struct AttnZoo: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attnzoo",
    abstract: "A zoo of attention variants and a benchmark of what their KV caches cost.",
    discussion: """
      A variant is written heads[/sharing][/reach][@codec]: mha, gqa:8, mqa, mla:512+64, \
      gqa:8/cla:2, mha/swa:1024/sink:4, gqa:8/hybrid:5:1:1024@f16, or a list [gqa:8*2,mqa].

      Example:
        attnzoo bench --geometry llama-3.2-1b --variants mha,gqa:8,mla:512+64 --context 8k \
      --batch 1,4

      Exit codes: 0 done, 1 a check failed, 64 usage, 65 bad data, 66 input missing, \
      70 internal error, 73 output cannot be written, 75 out of memory, 130 interrupted.
      """,
    version: "0.1.0",
    subcommands: [
      ListCommand.self, InspectCommand.self, MachineCommand.self, BenchCommand.self,
      MaxBatchCommand.self, ReportCommand.self, CompareCommand.self, PlanCommand.self,
      EvalCommand.self, ConvertCommand.self, GenerateCommand.self, LogitsCommand.self,
      MaxBatchChildCommand.self,
    ])

  static func main() async {
    do {
      try InstructionSet.refuseUnavailable()
      try refuseUnknownSubcommand()
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      ExitStatus.exit(with: error)
    }
  }
}

extension AttnZoo {
  /// The argument parser would call it an unexpected argument and not say what was expected.
  private static func refuseUnknownSubcommand() throws {
    guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-") else { return }
    let known = configuration.subcommands.map { ($0._commandName, $0.configuration.shouldDisplay) }
    guard word != "help", !known.contains(where: { $0.0 == word }) else { return }
    let names = known.filter(\.1).map(\.0).joined(separator: ", ")
    throw UsageError("no subcommand \"\(word)\"; expected one of \(names)")
  }
}

/// Which exit code an error ends the program with.
enum ExitStatus {
  static func code(of error: any Error) -> Int32? {
    switch error {
    case let error as HarnessError: error.exitCode
    case let error as RecordError: error.exitCode
    case let error as CheckpointError: error.exitCode
    case is NotationError, is UnknownModelError, is UsageError: 64
    case let error as PlannerError:
      if case .overflow = error { 65 } else { 64 }
    case is ConversionError, is TokenError: 65
    case is OutOfMemory: 75
    case is ConversionStopped: 130
    case let error as CacheError:
      if case .outOfMemory = error { 75 } else { 70 }
    default: nil
    }
  }

  /// Prints the error as one line and ends the program; an error that no room of the package
  /// throws is the argument parser's own.
  static func exit(with error: any Error) -> Never {
    guard let code = code(of: error) else { AttnZoo.exit(withError: error) }
    let line = "\(error)".split(whereSeparator: \.isNewline).joined(separator: " ")
    StandardStreams.message("attnzoo: \(line)\n")
    Foundation.exit(code)
  }
}

/// Flags that contradict each other or name nothing.
struct UsageError: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}
