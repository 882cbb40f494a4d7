import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// Small models to be written, and what their exports are compared by.
enum ExportSupport {
  /// A pool for one use: tests run side by side, and a pool has one user at a time.
  static var pool: WorkerPool { WorkerPool(threads: 2) }

  /// A random model with norm gains that are not 1.
  static func model(
    _ notation: String, tied: Bool = false, format: WeightFormat = .float32, seed: UInt64 = 21
  ) throws -> DecoderModel {
    let geometry = ModelGeometry(
      name: "source", layers: 3, hidden: 48, queryHeads: 4, keyValueHeads: 4, headWidth: 16,
      mlpWidth: 64, vocabulary: 56, tiedEmbeddings: tied, maxPositions: 128)
    let model = try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant(notation),
      format: format, seed: seed, pool: pool)
    var generator = SeededGenerator(seed: seed)
    func gains() -> [Float] {
      (0..<geometry.hidden).map { _ in Float.random(in: 0.5...1.5, using: &generator) }
    }
    let layers = model.layers.map { layer in
      var layer = layer
      layer.attentionNorm = gains()
      layer.mlpNorm = gains()
      return layer
    }
    return with(model, layers: layers)
  }

  /// The model with other layers.
  static func with(
    _ model: DecoderModel, layers: [DecoderLayer], variant: Variant? = nil
  ) -> DecoderModel {
    DecoderModel(
      geometry: model.geometry, variant: variant ?? model.variant, settings: model.settings,
      layouts: layers.map(\.attention.layout), embedding: model.embedding, layers: layers,
      finalNorm: model.finalNorm,
      head: model.head.weight === model.embedding ? nil : model.head,
      weightSource: model.weightSource, weightHash: model.weightHash)
  }

  /// Logits of every position of one text, from a float32 cache.
  static func logits(_ model: DecoderModel, tokens count: Int = 48) throws -> [Float] {
    let codec = try #require(AxisRegistry.standard.variant("mha@f32").uniform?.codec)
    let layouts = model.layouts.map {
      KVLayout(
        layer: $0.layer, owner: $0.owner, heads: $0.heads, shape: $0.shape, reach: $0.reach,
        codec: codec)
    }
    let vocabulary = Int32(model.geometry.vocabulary)
    let tokens = (0..<Int32(count)).map { ($0 * 11 + 5) % vocabulary }
    let runner = try DecoderRunner(model: model, pool: pool)
    let cache = try KVCache(
      layouts: layouts, plan: CachePlan(sequences: 1, capacity: 64, maxChunk: count))
    let result = try runner.forward(
      tokens: tokens, plan: BatchPlan([(try cache.addSequence(), 0, count)]), cache: cache,
      logits: .all)
    return (0..<count).flatMap { row in (0..<result.columns).map { result.row(row)[$0] } }
  }

  /// Largest difference over the largest magnitude of `right`.
  static func error(_ left: [Float], _ right: [Float]) -> Double {
    let scale = right.reduce(0) { max($0, abs($1)) }
    return Double(zip(left, right).reduce(0) { max($0, abs($1.0 - $1.1)) } / scale)
  }

  /// The model with every latent layer in the form that DeepSeek's code reads.
  static func stock(_ model: DecoderModel) throws -> DecoderModel {
    let layers = try model.layers.enumerated().map { index, layer in
      let module = try #require(layer.attention as? LatentAttention)
      var layer = layer
      layer.attention = try StockLatentAttention(
        module, rank: module.shape.rank + 1, inputGain: layer.attentionNorm,
        rotary: RotaryEmbedding(
          width: module.shape.ropeWidth, theta: model.settings.ropeTheta, pairing: .interleaved),
        place: StockLatentAttention.Place(file: "test", layer: index)
      ).module
      return layer
    }
    return with(model, layers: layers)
  }
}
