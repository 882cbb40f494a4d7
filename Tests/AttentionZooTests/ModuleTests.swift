import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory

@Suite("An attention module around its cache")
struct ModuleTests {
  @Test(
    "counts every weight that it holds: matrices, biases, norms, sink logits",
    arguments: [false, true])
  func weights(optional: Bool) throws {
    for notation in ["gqa:2", "mla:16+8", "mla:24+8x2"] {
      let made = try OneLayer(notation, optional: optional)
      // 48-wide hidden states, 4 heads of 16.
      let matrices =
        switch notation {
        case "gqa:2": 48 * (64 + 32 + 32 + 64)
        case "mla:16+8": 48 * (4 * 24 + 24 + 64) + 4 * 16 * (16 + 16)
        default: 48 * (4 * 16 + 40 + 64) + 4 * 24 * (8 + 16)
        }
      let rest =
        switch notation {
        case "gqa:2": 64 + 32 + 32 + 48 + 2 * 16 + 4
        case "mla:16+8": 4 * 24 + 24 + 48 + 16 + 4
        default: 4 * 16 + 40 + 48 + 24 + 4
        }
      #expect(made.module.parameters == matrices + (optional ? rest : 0))
      #expect(made.module.weightBytes == 4 * made.module.parameters)
    }
  }

  @Test(
    "a plan past the end of its sequence throws, whichever way the rows are read",
    arguments: [LatentPath.automatic, .absorbed, .expanded],
    [CacheStorage.contiguous, .ring, .paged(pageTokens: 4)])
  func pastEnd(path: LatentPath, storage: CacheStorage) throws {
    for notation in ["gqa:2", "mla:16+8", "mla:24+8x2/swa:7"] {
      let made = try OneLayer(notation, storage: storage)
      made.workspace.latentPath = path
      let sequence = try made.cache.addSequence()
      try made.cache.extend(sequence, by: 5)
      _ = try made.forward(BatchPlan([(sequence, 0, 5)]), seed: 1)
      for (start, count) in [(5, 1), (3, 3), (6, 1)] {
        do {
          _ = try made.forward(BatchPlan([(sequence, start, count)]), seed: 2)
          Issue.record("\(notation): tokens \(start) ..< \(start + count) of 5 were attended")
        } catch CacheError.pastEnd(_, let length) {
          #expect(length == 5)
        }
      }
      #expect(throws: CacheError.self) {
        _ = try made.forward(BatchPlan([(sequence + 1, 0, 1)]), seed: 2)
      }
      // Nothing was written: the next token attends to what was there.
      let plain = try OneLayer(notation, storage: storage)
      plain.workspace.latentPath = path
      let other = try plain.cache.addSequence()
      try plain.cache.extend(other, by: 5)
      _ = try plain.forward(BatchPlan([(other, 0, 5)]), seed: 1)
      try made.cache.extend(sequence, by: 1)
      try plain.cache.extend(other, by: 1)
      #expect(
        try made.forward(BatchPlan([(sequence, 5, 1)]), seed: 3)
          == plain.forward(BatchPlan([(other, 5, 1)]), seed: 3))
    }
  }

  @Test(
    "a plan before what a ring still holds throws, whichever way the rows are read",
    arguments: [LatentPath.absorbed, .expanded])
  func overwritten(path: LatentPath) throws {
    for notation in ["gqa:2/swa:7/sink:1", "mla:16+8/swa:7"] {
      let made = try OneLayer(notation, storage: .ring)
      made.workspace.latentPath = path
      let sequence = try made.cache.addSequence()
      for (start, count) in [(0, 40), (40, 20)] {
        try made.cache.extend(sequence, by: count)
        _ = try made.forward(BatchPlan([(sequence, start, count)]), seed: 1)
      }
      do {
        _ = try made.forward(BatchPlan([(sequence, 10, 1)]), seed: 2)
        Issue.record("\(notation): token 10 of 60 was attended")
      } catch CacheError.windowOverwritten(let token, _) {
        #expect(token == 10)
      }
    }
  }

  @Test("sequences of one call may take different paths through latent attention")
  func mixedPaths() throws {
    func outputs(_ path: LatentPath) throws -> (rows: [Float], last: LatentPath?) {
      let made = try OneLayer("mla:128+8")
      made.workspace.latentPath = path
      let long = try made.cache.addSequence()
      let short = try made.cache.addSequence()
      try made.cache.extend(long, by: 40)
      _ = try made.forward(BatchPlan([(long, 0, 40)]), seed: 1)
      // A prompt of its own rows only is expanded, one token over forty rows absorbed.
      try made.cache.extend(short, by: 12)
      try made.cache.extend(long, by: 1)
      let rows = try made.forward(BatchPlan([(short, 0, 12), (long, 40, 1)]), seed: 2)
      return (rows, made.workspace.lastLatentPath)
    }
    let mixed = try outputs(.automatic)
    let (absorbed, expanded) = (try outputs(.absorbed), try outputs(.expanded))
    #expect(mixed.last == .automatic)
    #expect(absorbed.last == .absorbed && expanded.last == .expanded)
    for other in [absorbed, expanded] {
      #expect(zip(mixed.rows, other.rows).allSatisfy { abs($0 - $1) < 2e-5 })
    }
  }
}
