import AttentionCore
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A mixture of experts runs the experts that its router chooses")
struct ExpertMixtureTests {
  /// A model of one layer whose mixture is made by `change`.
  private static func model(_ change: (inout ExpertMixture) throws -> Void) throws -> DecoderModel {
    let pool = WorkerPool(threads: 2)
    let geometry = ModelGeometry(
      name: "mixture", layers: 1, hidden: 16, queryHeads: 2, keyValueHeads: 2, headWidth: 8,
      mlpWidth: 24, vocabulary: 20, tiedEmbeddings: true, maxPositions: 64)
    let dense = try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant("mha"),
      format: .float32, seed: 3, pool: pool)
    func random(_ outputs: Int, _ inputs: Int, _ stream: UInt64) throws -> Linear {
      Linear(
        weight: try WeightMatrix(
          outputs: outputs, inputs: inputs, format: .float32, seed: 9, stream: stream,
          deviation: 0.5))
    }
    var experts: [GatedMLP] = []
    for index in UInt64(0)..<6 {
      experts.append(
        GatedMLP(
          gate: try random(12, 16, 10 * index + 1), up: try random(12, 16, 10 * index + 2),
          down: try random(16, 12, 10 * index + 3)))
    }
    var mixture = ExpertMixture(
      router: try random(6, 16, 0), routing: ExpertRouting(chosen: 2, scoring: .softmax),
      experts: experts)
    try change(&mixture)
    var layer = dense.layers[0]
    layer.feedForward = .mixture(mixture)
    return DecoderModel(
      geometry: geometry, variant: dense.variant, settings: dense.settings,
      layouts: dense.layouts, embedding: dense.embedding, layers: [layer],
      finalNorm: dense.finalNorm, head: nil, weightSource: "mixture", weightHash: "mixture")
  }

  private static let tokens = (0..<40).map { Int32($0 * 7 % 20) }

  @Test("together or one by one, tokens get the same experts")
  func batches() throws {
    let model = try Self.model { _ in }
    let together = try logits(model, Self.tokens, prefill: 40)
    let oneByOne = try logits(model, Self.tokens, prefill: 1)
    #expect(largestDifference(together, oneByOne) < 1e-5)
  }

  @Test("an expert that no token chooses is not run")
  func unchosen() throws {
    let plain = try Self.model { mixture in
      var routing = ExpertRouting(chosen: 2, scoring: .sigmoid)
      routing.correction = [0, 0, 0, 0, 0, -9]
      mixture.routing = routing
    }
    let poisoned = try Self.model { mixture in
      var routing = ExpertRouting(chosen: 2, scoring: .sigmoid)
      routing.correction = [0, 0, 0, 0, 0, -9]
      mixture.routing = routing
      let nan = [Float](repeating: .nan, count: 16 * 12)
      mixture.experts[5].down = Linear(
        weight: try WeightMatrix(outputs: 16, inputs: 12, format: .float32, values: nan))
    }
    let expected = try logits(plain, Self.tokens, prefill: 40)
    #expect(try logits(poisoned, Self.tokens, prefill: 40) == expected)
    let finite = expected.filter(\.isFinite)
    #expect(finite.count == expected.count)
  }

  @Test("softmax of the chosen is softmax of all with weights that sum to 1")
  func equivalentScoring() throws {
    let all = try Self.model { $0.routing.normalises = true }
    let chosen = try Self.model { $0.routing.scoring = .softmaxOfChosen }
    let left = try logits(all, Self.tokens, prefill: 40)
    let right = try logits(chosen, Self.tokens, prefill: 40)
    #expect(largestDifference(left, right) < 1e-5)
    let raw = try logits(try Self.model { _ in }, Self.tokens, prefill: 40)
    #expect(largestDifference(left, raw) > 1e-3)
  }

  @Test("groups limit the choice, and all groups do not")
  func groups() throws {
    let free = try Self.model { _ in }
    let all = try Self.model { mixture in
      mixture.routing.groups = 3
      mixture.routing.groupsKept = 3
    }
    let one = try Self.model { mixture in
      mixture.routing.groups = 3
      mixture.routing.groupsKept = 1
    }
    let expected = try logits(free, Self.tokens, prefill: 40)
    #expect(try logits(all, Self.tokens, prefill: 40) == expected)
    let limited = try logits(one, Self.tokens, prefill: 40)
    #expect(largestDifference(limited, expected) > 1e-3)
  }

  @Test("parameters count every expert, FLOPs those that run")
  func counts() throws {
    let model = try Self.model { mixture in
      mixture.shared = mixture.experts[0]
      mixture.sharedGate = Linear(
        weight: try WeightMatrix(
          outputs: 1, inputs: 16, format: .float32, values: [Float](repeating: 1, count: 16)))
    }
    let expert = 3 * 16 * 12
    let rest = 4 * 16 * 16 + 20 * 16 + 3 * 16
    #expect(model.parameters == rest + 6 * 16 + 7 * expert + 16)
    #expect(model.weightBytes == 4 * model.parameters)
    #expect(
      model.linearFLOPsPerToken
        == 2 * (20 * 16 + 4 * 16 * 16 + 6 * 16 + 3 * expert + 16))
  }

  @Test("an answer does not depend on the number of threads")
  func threads() throws {
    let model = try Self.model { _ in }
    func run(_ threads: Int) throws -> [Float] {
      let cache = try KVCache(
        layouts: model.layouts, plan: CachePlan(sequences: 1, capacity: 40, maxChunk: 40))
      let runner = try DecoderRunner(model: model, pool: WorkerPool(threads: threads))
      let rows = try runner.forward(
        tokens: Self.tokens, plan: BatchPlan([(try cache.addSequence(), 0, 40)]), cache: cache,
        logits: .all)
      return (0..<40).flatMap { row in
        Array(UnsafeBufferPointer(start: rows.row(row), count: rows.columns))
      }
    }
    #expect(try run(1) == run(3))
  }
}
