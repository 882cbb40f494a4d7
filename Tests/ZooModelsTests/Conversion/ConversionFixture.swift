import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// A small random model, text for it, and ways to change it.
enum ConversionFixture {
  static let width = 16
  static let vocabulary: Int32 = 40

  static func model(_ notation: String, pool: WorkerPool) throws -> DecoderModel {
    let geometry = ModelGeometry(
      name: "source", layers: 4, hidden: 48, queryHeads: 4, keyValueHeads: 4, headWidth: width,
      mlpWidth: 64, vocabulary: Int(vocabulary), tiedEmbeddings: true, maxPositions: 128)
    return try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant(notation),
      format: .float32, seed: 9, pool: pool)
  }

  /// Segments of text without much order.
  static func segments(_ count: Int, tokens: Int = 48) -> [[Int32]] {
    (0..<count).map { segment -> [Int32] in
      (0..<tokens).map { place -> Int32 in
        let mixed: Int = place * place * 7 + place * 11 + segment * 13 + 5
        return Int32(mixed % Int(vocabulary))
      }
    }
  }

  static func edited(
    _ model: DecoderModel, _ edit: (MultiHeadAttention) throws -> MultiHeadAttention
  ) throws -> DecoderModel {
    let layers = try model.layers.map { layer in
      var layer = layer
      layer.attention = try edit(try #require(layer.attention as? MultiHeadAttention))
      return layer
    }
    return DecoderModel(
      geometry: model.geometry, variant: model.variant, settings: model.settings,
      layouts: model.layouts, embedding: model.embedding, layers: layers,
      finalNorm: model.finalNorm, head: nil, weightSource: "edited", weightHash: "edited")
  }

  /// A projection with elements changed, by their place in row-major order.
  static func changed(
    _ linear: Linear?, _ change: (Int, Float) -> Float
  ) throws -> Linear {
    let linear = try #require(linear)
    var values = [Float](repeating: 0, count: linear.outputs * linear.inputs)
    linear.weight.decodeRows(0..<linear.outputs, to: &values)
    for index in values.indices { values[index] = change(index, values[index]) }
    return Linear(
      weight: try WeightMatrix(
        outputs: linear.outputs, inputs: linear.inputs, format: .float32, values: values),
      bias: linear.bias)
  }

  /// The model with biases on queries, keys and values, and with learned sink logits if wanted.
  static func biased(_ model: DecoderModel, sinkLogits: Bool) throws -> DecoderModel {
    func biased(_ linear: Linear?, _ seed: Int) throws -> Linear {
      let linear = try #require(linear)
      return Linear(
        weight: linear.weight,
        bias: (0..<linear.outputs).map { Float(($0 * 7 + seed) % 11 - 5) / 10 })
    }
    return try edited(model) { module in
      var options = module.options
      if sinkLogits { options.sinkLogits = [0.5, -1, 1, 0] }
      return MultiHeadAttention(
        layout: module.layout, query: try biased(module.query, 1), key: try biased(module.key, 2),
        value: try biased(module.value, 3), output: module.output, options: options)
    }
  }

  /// Logits of every position of one text.
  static func logits(_ model: DecoderModel, pool: WorkerPool) throws -> [Float] {
    let tokens = (0..<Int32(48)).map { ($0 * 11 + 5) % vocabulary }
    let runner = try DecoderRunner(model: model, pool: pool)
    let cache = try KVCache(
      layouts: model.layouts, plan: CachePlan(sequences: 1, capacity: 64, maxChunk: 48))
    let result = try runner.forward(
      tokens: tokens, plan: BatchPlan([(try cache.addSequence(), 0, 48)]), cache: cache,
      logits: .all)
    return (0..<48).flatMap { row in (0..<Int(vocabulary)).map { result.row(row)[$0] } }
  }

  /// Root mean square difference of logits over that of the source's.
  static func error(
    _ model: DecoderModel, from source: DecoderModel, pool: WorkerPool
  ) throws -> Double {
    let (left, right) = (try logits(model, pool: pool), try logits(source, pool: pool))
    let difference = zip(left, right).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    return (difference / right.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
  }
}

extension MultiHeadAttention {
  func with(key: Linear? = nil, options: AttentionOptions? = nil) -> MultiHeadAttention {
    MultiHeadAttention(
      layout: layout, query: query, key: key ?? self.key, value: value, output: output,
      options: options ?? self.options)
  }
}
