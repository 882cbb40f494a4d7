import AttentionCore
import AttentionZoo
import Testing
import ZooMemory

/// Variants that are the same mathematics, on the same weights and inputs.
@Suite("Notations of the same mathematics give the same outputs")
struct EquivalenceTests {
  private func outputs(_ notation: String, _ run: ConformanceChecker.Run) throws -> [Float] {
    let checker = try ConformanceChecker(notation, pool: WorkerPool(threads: 2))
    return try checker.run(run.schedule, storage: run.storage)
      .flatMap { sequence in sequence.flatMap { layer in layer.flatMap { $0 } } }
  }

  /// The largest difference between two variants over all layers and positions.
  private func difference(
    _ left: String, _ right: String, _ run: ConformanceChecker.Run
  ) throws -> Float {
    zip(try outputs(left, run), try outputs(right, run)).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  @Test("gqa of all heads is mha, gqa of one is mqa", arguments: ["", "/cla:2", "/swa:16/sink:4"])
  func groups(rest: String) throws {
    for run in ConformanceChecker.Run.some(turn: 0) {
      #expect(try difference("gqa:4\(rest)", "mha\(rest)", run) == 0)
      #expect(try difference("gqa:1\(rest)", "mqa\(rest)", run) == 0)
      #expect(try difference("gqa:2\(rest)", "mqa\(rest)", run) > 0.01)
    }
  }

  @Test(
    "a window of at least the context sees what a global layer sees",
    arguments: ["mha", "gqa:2/cla:2", "mla:16+8", "mla:24+8x2/cla:3"])
  func windows(heads: String) throws {
    let longest = ConformanceChecker.lengths[0]
    for run in ConformanceChecker.Run.some(turn: 3) {
      for reach in ["swa:\(longest)", "swa:\(longest + 40)", "swa:\(longest)/sink:4"] {
        #expect(try difference("\(heads)/\(reach)@f32", "\(heads)@f32", run) < 1e-5)
      }
      #expect(try difference("\(heads)/swa:\(longest - 1)@f32", "\(heads)@f32", run) > 1e-5)
    }
  }

  @Test("a list of one spec is the spec", arguments: ["gqa:2/swa:16", "mla:16+8", "mha/cla:3"])
  func lists(spec: String) throws {
    for run in ConformanceChecker.Run.some(turn: 1) {
      #expect(try difference("[\(spec)*6]", spec, run) == 0)
    }
  }
}
