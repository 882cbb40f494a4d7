// This package's side of the comparison in Peers/: makes problems and runs them one by one, as a
// driver asks on standard input.
import CAttentionKernels
import Foundation
import ZooHarness
import ZooMemory

/// What a driver has run.
protocol Problem: AnyObject {
  var bytes: Int { get }
  var flops: Int { get }
  /// Runs once. Nanoseconds.
  func run() throws -> Int64
  /// The last result.
  func output() -> Data
}

struct ServerError: Error, CustomStringConvertible {
  let text: String
  var description: String { text }
}

extension Optional {
  func orThrow(_ name: String) throws -> Wrapped {
    guard let self else { throw ServerError(text: "\(name) is missing") }
    return self
  }
}

struct Server {
  private var pool = WorkerPool(threads: WorkerPool.availableProcessors)
  private var probe: RoofProbe?
  private var problem: (any Problem)?

  mutating func answer(_ line: String) -> Reply {
    do {
      return try answer(JSONDecoder().decode(Request.self, from: Data(line.utf8)))
    } catch {
      return Reply(error: "\(error)")
    }
  }

  private mutating func answer(_ request: Request) throws -> Reply {
    switch request.operation {
    case .attention, .step:
      problem = nil
      if let threads = request.threads, threads != pool.threads {
        pool = WorkerPool(threads: threads)
        probe = nil
      }
      let made: any Problem =
        request.operation == .attention
        ? try AttentionProblem(request, pool: pool) : try StepProblem(request, pool: pool)
      problem = made
      return Reply(bytes: made.bytes, flops: made.flops, isa: String(cString: attn_isa_name()))
    case .fill:
      let step = try (problem as? StepProblem).orThrow("a step")
      try step.fill(to: try request.tokens.orThrow("tokens"))
      return Reply(bytes: step.bytes, flops: step.flops)
    case .run:
      return Reply(nanoseconds: try problem.orThrow("a problem").run())
    case .output:
      let path = try request.path.orThrow("path")
      try problem.orThrow("a problem").output().write(to: URL(fileURLWithPath: path))
      return Reply()
    case .probe:
      let roofs = try probes().measure()
      return Reply(
        readGBPerSecond: roofs.readGBPerSecond, peakGFLOPPerSecond: roofs.peakGFLOPPerSecond)
    case .issue:
      return Reply(issueRate: probes().issueRate())
    }
  }

  private mutating func probes() -> RoofProbe {
    let made = probe ?? RoofProbe(pool: pool)
    probe = made
    return made
  }
}

var server = Server()
while let line = readLine() {
  let reply = try JSONEncoder().encode(server.answer(line))
  FileHandle.standardOutput.write(reply + Data("\n".utf8))
}
