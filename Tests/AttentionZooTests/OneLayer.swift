import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// One attention layer of random weights, with a cache and scratch: hidden width 48, 4 heads of 16.
struct OneLayer {
  static let hidden = 48
  static let heads = 4

  let module: any AttentionModule
  let cache: KVCache
  let workspace: AttentionWorkspace

  /// - Parameter optional: with biases, norms and sink logits.
  init(
    _ notation: String, storage: CacheStorage = .contiguous, optional: Bool = false
  ) throws {
    let geometry = ModelGeometry(
      name: "one layer", layers: 1, hidden: Self.hidden, queryHeads: Self.heads,
      keyValueHeads: Self.heads, headWidth: 16, mlpWidth: 8, vocabulary: 8, tiedEmbeddings: true,
      maxPositions: 64)
    let layouts = try AxisRegistry.standard.variant(notation).layouts(for: geometry)
    let layout = layouts[0]
    var stream: UInt64 = 0
    func matrix(_ outputs: Int, _ inputs: Int) throws -> WeightMatrix {
      stream += 1
      return try WeightMatrix(
        outputs: outputs, inputs: inputs, format: .float32, seed: 3, stream: stream,
        deviation: 1 / Float(inputs).squareRoot())
    }
    func linear(_ outputs: Int, _ inputs: Int) throws -> Linear {
      Linear(
        weight: try matrix(outputs, inputs),
        bias: optional ? [Float](repeating: 0.1, count: outputs) : nil)
    }
    switch layout.heads {
    case .grouped(let keyValueHeads):
      var options = AttentionOptions(rotary: RotaryEmbedding(width: 16))
      if optional {
        options.queryNorm = [Float](repeating: 1, count: 16)
        options.keyNorm = [Float](repeating: 1, count: 16)
        options.sinkLogits = [Float](repeating: 0, count: Self.heads)
      }
      module = MultiHeadAttention(
        layout: layout, query: try linear(Self.heads * 16, Self.hidden),
        key: try linear(keyValueHeads * 16, Self.hidden),
        value: try linear(keyValueHeads * 16, Self.hidden),
        output: try linear(Self.hidden, Self.heads * 16), options: options)
    case .latent(let shape):
      var options = AttentionOptions(rotary: RotaryEmbedding(width: shape.ropeWidth))
      if optional {
        options.latentNorm = [Float](repeating: 1, count: shape.rank)
        options.sinkLogits = [Float](repeating: 0, count: Self.heads)
      }
      module = LatentAttention(
        layout: layout, shape: shape, query: try linear(Self.heads * shape.headWidth, Self.hidden),
        down: try linear(shape.rowWidth, Self.hidden),
        keyUp: HeadwiseLinear(
          weight: try matrix(Self.heads * shape.rank, shape.nopeWidth), heads: Self.heads),
        valueUp: HeadwiseLinear(
          weight: try matrix(Self.heads * shape.valueWidth, shape.rank), heads: Self.heads),
        output: try linear(Self.hidden, Self.heads * shape.valueWidth), options: options)
    }
    cache = try KVCache(
      layouts: layouts,
      plan: CachePlan(storage: storage, sequences: 2, capacity: 64, maxChunk: 40))
    workspace = try AttentionWorkspace(pool: WorkerPool(threads: 2), maximumInputs: 128)
  }

  /// Runs random hidden states of a seed through the layer; the cache has been extended.
  func forward(_ plan: BatchPlan, seed: UInt64) throws -> [Float] {
    let hidden = try Matrix(rows: plan.tokens, columns: Self.hidden)
    let output = try Matrix(rows: plan.tokens, columns: Self.hidden)
    var generator = SeededGenerator(seed: seed)
    generator.fill(hidden.pointer, count: plan.tokens * Self.hidden, deviation: 1)
    try module.forward(
      hidden: hidden.view, plan: plan, cache: cache.layer(0), workspace: workspace,
      output: output.mutableView)
    return Array(
      UnsafeBufferPointer(start: output.pointer, count: plan.tokens * Self.hidden))
  }
}
