import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension DecoderModel {
  /// A model of random weights, for measuring: uniform with standard deviation (inputs)^−½. Every
  /// tensor has a stream of its own, so that the same seed gives the same embedding and MLPs
  /// whatever the variant and the number of threads.
  ///
  /// - Parameter sibling: a random model of the same geometry, format and seed, whose embedding,
  ///   head and MLPs are used instead of equal copies; only attention is made anew.
  /// - Throws: `NotationError` where the variant has no meaning on the geometry, `OutOfMemory`.
  public convenience init(
    randomWeights geometry: ModelGeometry, variant: Variant, format: WeightFormat,
    settings: DecoderSettings = DecoderSettings(), seed: UInt64, pool: WorkerPool,
    sharingWith sibling: DecoderModel? = nil
  ) throws {
    let layouts = try variant.layouts(for: geometry)
    let source = RandomWeightSource(format: format, seed: seed, pool: pool)
    if let sibling {
      precondition(
        sibling.geometry == geometry && sibling.format == format
          && sibling.weightHash == Self.randomHash(seed: seed),
        "siblings have one geometry, format and seed")
    }
    let embedding =
      try sibling?.embedding
      ?? source.matrix(.embedding, outputs: geometry.vocabulary, inputs: geometry.hidden)
    let layers = try layouts.map { layout in
      let twin = sibling?.layers[layout.layer].feedForward.dense
      let (hidden, width) = (geometry.hidden, geometry.mlpWidth)
      return DecoderLayer(
        attentionNorm: Array(repeating: 1, count: hidden),
        attention: try source.attention(layout, geometry: geometry, settings: settings),
        mlpNorm: Array(repeating: 1, count: hidden),
        feedForward: .dense(
          try twin
            ?? GatedMLP(
              gate: source.linear(.gate, of: layout.layer, outputs: width, inputs: hidden),
              up: source.linear(.up, of: layout.layer, outputs: width, inputs: hidden),
              down: source.linear(.down, of: layout.layer, outputs: hidden, inputs: width))))
    }
    let head =
      geometry.tiedEmbeddings
      ? nil
      : try sibling?.head
        ?? source.linear(.head, outputs: geometry.vocabulary, inputs: geometry.hidden)
    self.init(
      geometry: geometry, variant: variant, settings: settings, layouts: layouts,
      embedding: embedding, layers: layers,
      finalNorm: Array(repeating: 1, count: geometry.hidden), head: head,
      weightSource: "random", weightHash: Self.randomHash(seed: seed))
  }

  private static func randomHash(seed: UInt64) -> String { "seed-\(seed)" }

  /// Bytes of the weights that random siblings share: embedding, head and MLPs.
  public static func sharedWeightBytes(_ geometry: ModelGeometry, format: WeightFormat) -> Int {
    let tables = (geometry.tiedEmbeddings ? 1 : 2) * geometry.vocabulary * geometry.hidden
    return (tables + geometry.layers * 3 * geometry.hidden * geometry.mlpWidth)
      * format.bytesPerElement
  }
}

/// Makes random tensors, each from the stream of its role and layer.
private struct RandomWeightSource {
  enum Role: UInt64 {
    case embedding, head, gate, up, down
    case query, key, value, output, latentDown, keyUp, valueUp
  }

  let format: WeightFormat
  let seed: UInt64
  let pool: WorkerPool

  func matrix(
    _ role: Role, of layer: Int = 0, outputs: Int, inputs: Int
  ) throws -> WeightMatrix {
    try WeightMatrix(
      outputs: outputs, inputs: inputs, format: format, seed: seed,
      stream: 1 + UInt64(layer) * 16 + role.rawValue, deviation: 1 / Float(inputs).squareRoot(),
      pool: pool)
  }

  func linear(_ role: Role, of layer: Int = 0, outputs: Int, inputs: Int) throws -> Linear {
    Linear(weight: try matrix(role, of: layer, outputs: outputs, inputs: inputs))
  }

  func attention(
    _ layout: KVLayout, geometry: ModelGeometry, settings: DecoderSettings
  ) throws -> any AttentionModule {
    let heads = geometry.queryHeads
    let layer = layout.layer
    switch layout.heads {
    case .grouped(let keyValueHeads):
      let width = geometry.headWidth
      return MultiHeadAttention(
        layout: layout,
        query: try linear(.query, of: layer, outputs: heads * width, inputs: geometry.hidden),
        key: layout.ownsRows
          ? try linear(
            .key, of: layer, outputs: keyValueHeads * width, inputs: geometry.hidden) : nil,
        value: layout.ownsRows
          ? try linear(
            .value, of: layer, outputs: keyValueHeads * width, inputs: geometry.hidden) : nil,
        output: try linear(
          .output, of: layer, outputs: geometry.hidden, inputs: heads * width),
        options: AttentionOptions(
          rotary: RotaryEmbedding(width: width, theta: settings.ropeTheta)))
    case .latent(let shape):
      return LatentAttention(
        layout: layout, shape: shape,
        query: try linear(
          .query, of: layer, outputs: heads * shape.headWidth, inputs: geometry.hidden),
        down: layout.ownsRows
          ? try linear(
            .latentDown, of: layer, outputs: shape.rowWidth, inputs: geometry.hidden) : nil,
        keyUp: HeadwiseLinear(
          weight: try matrix(
            .keyUp, of: layer, outputs: heads * shape.rank, inputs: shape.nopeWidth),
          heads: heads),
        valueUp: HeadwiseLinear(
          weight: try matrix(
            .valueUp, of: layer, outputs: heads * shape.valueWidth, inputs: shape.rank),
          heads: heads),
        output: try linear(
          .output, of: layer, outputs: geometry.hidden, inputs: heads * shape.valueWidth),
        options: AttentionOptions(
          rotary: RotaryEmbedding(width: shape.ropeWidth, theta: settings.ropeTheta)))
    }
  }
}
