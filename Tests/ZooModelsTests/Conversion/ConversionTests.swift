import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A converted model is the source where nothing is thrown away")
struct ConversionTests {
  private static let width = 16
  private let pool = WorkerPool(threads: 2)

  private func source(_ notation: String = "mha@f32") throws -> DecoderModel {
    let geometry = ModelGeometry(
      name: "source", layers: 4, hidden: 48, queryHeads: 4, keyValueHeads: 4,
      headWidth: Self.width, mlpWidth: 64, vocabulary: 40, tiedEmbeddings: true,
      maxPositions: 128)
    return try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant(notation),
      format: .float32, seed: 9, pool: pool)
  }

  /// The model with some rows of a layer's projections changed.
  private func edited(
    _ model: DecoderModel,
    _ edit: (_ layer: Int, MultiHeadAttention) throws -> MultiHeadAttention
  ) throws -> DecoderModel {
    let layers = try model.layers.enumerated().map { index, layer in
      var layer = layer
      let module = try #require(layer.attention as? MultiHeadAttention)
      layer.attention = try edit(index, module)
      return layer
    }
    return DecoderModel(
      geometry: model.geometry, variant: model.variant, settings: model.settings,
      layouts: model.layouts, embedding: model.embedding, layers: layers,
      finalNorm: model.finalNorm, head: nil, weightSource: "edited", weightHash: "edited")
  }

  /// A projection whose row r is `row(r)` of the given one, by a factor.
  private func rows(
    _ linear: Linear?, _ row: (Int) -> (from: Int, factor: Float)
  ) throws -> Linear {
    let linear = try #require(linear)
    var values = [Float](repeating: 0, count: linear.outputs * linear.inputs)
    values.withUnsafeMutableBufferPointer { values in
      for output in 0..<linear.outputs {
        let (from, factor) = row(output)
        guard let target = values.baseAddress.map({ $0 + output * linear.inputs }) else { return }
        linear.weight.decodeRows(from..<from + 1, to: target)
        for column in 0..<linear.inputs { target[column] *= factor }
      }
    }
    return Linear(
      weight: try WeightMatrix(
        outputs: linear.outputs, inputs: linear.inputs, format: .float32, values: values))
  }

  /// Logits of every position of one text.
  private func logits(_ model: DecoderModel) throws -> [Float] {
    let tokens = (0..<Int32(48)).map { ($0 * 11 + 5) % 40 }
    let runner = try DecoderRunner(model: model, pool: pool)
    let cache = try KVCache(
      layouts: model.layouts, plan: CachePlan(sequences: 1, capacity: 64, maxChunk: 48))
    let result = try runner.forward(
      tokens: tokens, plan: BatchPlan([(try cache.addSequence(), 0, 48)]), cache: cache,
      logits: .all)
    return (0..<48).flatMap { row in (0..<40).map { result.row(row)[$0] } }
  }

  /// Root mean square difference of logits over that of the source's.
  private func error(_ model: DecoderModel, from source: DecoderModel) throws -> Double {
    let (left, right) = (try logits(model), try logits(source))
    let difference = zip(left, right).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
    return (difference / right.reduce(0.0) { $0 + Double($1 * $1) }).squareRoot()
  }

  private func converted(_ model: DecoderModel, _ notation: String) throws -> DecoderModel {
    try model.converted(to: try AxisRegistry.standard.variant(notation))
  }

  @Test("to its own variant, to a sharing of one, to windows that it never leaves")
  func unchanged() throws {
    let source = try source()
    for notation in ["mha@f32", "gqa:4@f32", "mha/cla:1@f32"] {
      #expect(try logits(converted(source, notation)) == logits(source))
    }
    #expect(try error(converted(source, "mha/swa:64@f32"), from: source) < 1e-5)
    #expect(try error(converted(source, "mha/swa:8@f32"), from: source) > 1e-3)
  }

  @Test("one shared RoPE slice of all components and full rank")
  func sharedSlice() throws {
    for notation in ["mha@f32", "gqa:2@f32"] {
      let source = try source(notation)
      let all = notation == "mha@f32" ? 64 : 32
      #expect(try error(converted(source, "mla:48+\(all)@f32"), from: source) < 1e-5)
      // What is cut away shows.
      #expect(try error(converted(source, "mla:24+\(all)@f32"), from: source) > 1e-3)
      #expect(try error(converted(source, "mla:48+8@f32"), from: source) > 1e-3)
    }
  }

  @Test("a RoPE slice a head loses the less, the more pairs it keeps")
  func headSlices() throws {
    // The slowest two pairs turn by less than a tenth over the text: without their rotation the
    // model is nearly what it was, as long as those are the pairs that lose it.
    let slowest = Self.width / 2 - 2
    let source = try edited(source()) { _, module in
      MultiHeadAttention(
        layout: module.layout,
        query: try rows(module.query) { ($0, $0 % 8 < slowest ? 1 : 0.2) },
        key: module.key, value: module.value, output: module.output, options: module.options)
    }
    let errors = try [12, 8, 4].map {
      try error(converted(source, "mla:48+\($0)x4@f32"), from: source)
    }
    #expect(errors[0] < 0.01 && errors[0] < errors[1] && errors[1] < errors[2], "\(errors)")
  }

  @Test("readers of shared rows take the pairs that their owner kept")
  func sharedHeadSlices() throws {
    // Owners care least for the slowest pair, which can lose its rotation; sharers for the fastest.
    let source = try edited(source()) { layer, module in
      MultiHeadAttention(
        layout: module.layout,
        query: try rows(module.query) {
          ($0, $0 % 8 == (layer.isMultiple(of: 2) ? 7 : 0) ? 0.05 : 1)
        },
        key: module.key, value: module.value, output: module.output, options: module.options)
    }
    let shared = try converted(source, "mha/cla:2@f32")
    let latent = try converted(source, "mla:48+14x4/cla:2@f32")
    #expect(try error(latent, from: shared) < 0.01)
    #expect(try error(converted(source, "mla:48+64/cla:2@f32"), from: shared) < 1e-5)
  }

  @Test("equal heads are their own mean")
  func pooling() throws {
    for (groups, perGroup) in [(2, 2), (1, 4)] {
      /// The row of the first head of the group.
      func leader(_ row: Int) -> (from: Int, factor: Float) {
        let head = row / Self.width
        return (head / perGroup * perGroup * Self.width + row % Self.width, 1)
      }
      let source = try edited(source()) { _, module in
        MultiHeadAttention(
          layout: module.layout, query: module.query, key: try rows(module.key, leader),
          value: try rows(module.value, leader), output: module.output, options: module.options)
      }
      let pooled = try converted(source, "gqa:\(groups)@f32")
      #expect(try error(pooled, from: source) < 1e-5)
      let module = try #require(pooled.layers[0].attention as? MultiHeadAttention)
      let original = try #require(source.layers[0].attention as? MultiHeadAttention)
      let (key, wanted) = (try #require(module.key), try #require(original.key))
      #expect(key.outputs == groups * Self.width)
      var (left, right) = ([Float](repeating: 0, count: 48), [Float](repeating: 0, count: 48))
      key.weight.decodeRows((groups - 1) * Self.width..<(groups - 1) * Self.width + 1, to: &left)
      let first = (groups - 1) * perGroup * Self.width
      wanted.weight.decodeRows(first..<first + 1, to: &right)
      #expect(left == right)
    }
    #expect(try error(converted(source(), "gqa:2@f32"), from: source()) > 1e-3)
  }

  @Test(
    "what cannot be converted is refused in one line that says why",
    arguments: [
      ("mha@f32", "mla:49+8", "rank 49 is larger"), ("mha@f32", "mla:16+66", "wider than the keys"),
      ("mha@f32", "mla:16+8x2", "expected one RoPE slice or 4"),
      ("gqa:2@f32", "gqa:4", "2 key/value heads cannot be pooled to 4"),
      ("mqa@f32", "mha", "1 key/value heads cannot be pooled to 4"),
      ("mla:16+8@f32", "gqa:2", "no keys and values of its own"),
      ("mha/cla:2@f32", "mha", "no keys and values of its own"), ("mha@f32", "gqa:3", "gqa:3"),
    ])
  func refusals(from: String, to: String, reason: String) throws {
    let source = try source(from)
    do {
      _ = try converted(source, to)
      Issue.record("\(from) became \(to)")
    } catch {
      let text = "\(error)"
      #expect(text.contains(reason) && text.contains(to) && !text.contains("\n"), "\(text)")
    }
  }
}
