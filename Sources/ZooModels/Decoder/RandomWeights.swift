import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension DecoderModel {
  /// A model of random weights, for measuring: uniform with standard deviation (inputs)^−½, the
  /// same for the same seed whatever the number of threads.
  /// - Throws: `NotationError` where the variant has no meaning on the geometry, `OutOfMemory`.
  public convenience init(
    randomWeights geometry: ModelGeometry, variant: Variant, format: WeightFormat,
    settings: DecoderSettings = DecoderSettings(), seed: UInt64, pool: WorkerPool
  ) throws {
    let layouts = try variant.layouts(for: geometry)
    var source = RandomWeightSource(format: format, seed: seed, pool: pool)
    let embedding = try source.matrix(outputs: geometry.vocabulary, inputs: geometry.hidden)
    let layers = try layouts.map { layout in
      DecoderLayer(
        attentionNorm: Array(repeating: 1, count: geometry.hidden),
        attention: try source.attention(layout, geometry: geometry, settings: settings),
        mlpNorm: Array(repeating: 1, count: geometry.hidden),
        gate: try source.linear(outputs: geometry.mlpWidth, inputs: geometry.hidden),
        up: try source.linear(outputs: geometry.mlpWidth, inputs: geometry.hidden),
        down: try source.linear(outputs: geometry.hidden, inputs: geometry.mlpWidth))
    }
    let head =
      geometry.tiedEmbeddings
      ? nil : try source.linear(outputs: geometry.vocabulary, inputs: geometry.hidden)
    self.init(
      geometry: geometry, variant: variant, settings: settings, layouts: layouts,
      embedding: embedding, layers: layers,
      finalNorm: Array(repeating: 1, count: geometry.hidden), head: head,
      weightSource: "random", weightHash: "seed-\(seed)")
  }
}

/// Makes one random tensor after the other.
private struct RandomWeightSource {
  let format: WeightFormat
  let seed: UInt64
  let pool: WorkerPool
  var stream: UInt64 = 0

  init(format: WeightFormat, seed: UInt64, pool: WorkerPool) {
    self.format = format
    self.seed = seed
    self.pool = pool
  }

  mutating func matrix(outputs: Int, inputs: Int) throws -> WeightMatrix {
    stream += 1
    return try WeightMatrix(
      outputs: outputs, inputs: inputs, format: format, seed: seed, stream: stream,
      deviation: 1 / Float(inputs).squareRoot(), pool: pool)
  }

  mutating func linear(outputs: Int, inputs: Int) throws -> Linear {
    Linear(weight: try matrix(outputs: outputs, inputs: inputs))
  }

  mutating func attention(
    _ layout: KVLayout, geometry: ModelGeometry, settings: DecoderSettings
  ) throws -> any AttentionModule {
    let heads = geometry.queryHeads
    switch layout.heads {
    case .grouped(let keyValueHeads):
      let width = geometry.headWidth
      return MultiHeadAttention(
        layout: layout,
        query: try linear(outputs: heads * width, inputs: geometry.hidden),
        key: layout.ownsRows
          ? try linear(outputs: keyValueHeads * width, inputs: geometry.hidden) : nil,
        value: layout.ownsRows
          ? try linear(outputs: keyValueHeads * width, inputs: geometry.hidden) : nil,
        output: try linear(outputs: geometry.hidden, inputs: heads * width),
        options: AttentionOptions(
          rotary: RotaryEmbedding(width: width, theta: settings.ropeTheta)))
    case .latent(let shape):
      return LatentAttention(
        layout: layout, shape: shape,
        query: try linear(outputs: heads * shape.headWidth, inputs: geometry.hidden),
        down: layout.ownsRows
          ? try linear(outputs: shape.rowWidth, inputs: geometry.hidden) : nil,
        keyUp: HeadwiseLinear(
          weight: try matrix(outputs: heads * shape.rank, inputs: shape.nopeWidth), heads: heads),
        valueUp: HeadwiseLinear(
          weight: try matrix(outputs: heads * shape.valueWidth, inputs: shape.rank), heads: heads),
        output: try linear(outputs: geometry.hidden, inputs: heads * shape.valueWidth),
        options: AttentionOptions(
          rotary: RotaryEmbedding(width: shape.ropeWidth, theta: settings.ropeTheta)))
    }
  }
}
