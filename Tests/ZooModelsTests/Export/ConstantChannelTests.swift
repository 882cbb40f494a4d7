import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooModels

@Suite("A constant channel makes the norm of the latents a constant factor")
struct ConstantChannelTests {
  @Test("the stock form of a layer computes what the layer computes", arguments: [8, 15, 24])
  func exact(rank: Int) throws {
    let source = try ExportSupport.model("mla:\(rank)+8@f32")
    let stock = try ExportSupport.stock(source)
    let error = try ExportSupport.error(
      ExportSupport.logits(stock), ExportSupport.logits(source))
    #expect(error < 2e-6)
  }

  @Test("its cached value is 0, its constant a power of two above every latent, its norm one too")
  func form() throws {
    let source = try ExportSupport.model("mla:15+8@f32")
    let layer = source.layers[0]
    let module = try #require(layer.attention as? LatentAttention)
    let stock = try StockLatentAttention(
      module, rank: 16, inputGain: layer.attentionNorm,
      rotary: RotaryEmbedding(width: 8, theta: 10_000, pairing: .interleaved),
      place: StockLatentAttention.Place(file: "test", layer: 0))
    let constant = try #require(stock.constant)
    #expect(constant.significand == 1)
    let norm = try #require(stock.module.options.latentNorm)
    #expect(norm.count == 16 && norm[15] == 0)
    #expect(Set(norm[..<15]).count == 1 && norm[0].significand == 1)
    let bias = try #require(stock.module.down?.bias)
    #expect(bias[15] == Float(constant) && bias.filter { $0 != 0 }.count == 1)
    // Whatever the input, the latents stay 2^11 times below the constant: with the norm's gain at its
    // largest and an input that points along a row.
    var rows = [Float](repeating: 0, count: 15 * 48)
    try #require(module.down).weight.decodeRows(0..<15, to: &rows)
    for row in 0..<15 {
      let weights = (0..<48).map { rows[row * 48 + $0] * layer.attentionNorm[$0] }
      let length = weights.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(Double(length) * 48.0.squareRoot() * 2048 <= constant)
    }
    #expect(stock.module.options.scale == nil)
    #expect(stock.module.options.rotary?.pairing == .interleaved)
  }

  @Test("a channel that is zero for every input is taken in place of a new one")
  func freeChannel() throws {
    let source = try ExportSupport.model("mla:16+8@f32")
    let layers = try source.layers.map { layer in
      var layer = layer
      let module = try #require(layer.attention as? LatentAttention)
      let down = try #require(module.down)
      var rows = [Float](repeating: 0, count: down.outputs * down.inputs)
      down.weight.decodeRows(0..<down.outputs, to: &rows)
      for column in 0..<down.inputs { rows[5 * down.inputs + column] = 0 }
      layer.attention = LatentAttention(
        layout: module.layout, shape: module.shape, query: module.query,
        down: Linear(
          weight: try WeightMatrix(
            outputs: down.outputs, inputs: down.inputs, format: .float32, values: rows)),
        keyUp: module.keyUp, valueUp: module.valueUp, output: module.output,
        options: module.options)
      return layer
    }
    let zeroed = ExportSupport.with(source, layers: layers)
    let stock = try ExportSupport.with(
      source,
      layers: layers.enumerated().map { index, layer in
        var layer = layer
        let module = try #require(layer.attention as? LatentAttention)
        layer.attention = try StockLatentAttention(
          module, rank: 16, inputGain: layer.attentionNorm,
          rotary: RotaryEmbedding(width: 8, theta: 10_000, pairing: .interleaved),
          place: StockLatentAttention.Place(file: "test", layer: index)
        ).module
        return layer
      })
    let error = try ExportSupport.error(
      ExportSupport.logits(stock), ExportSupport.logits(zeroed))
    #expect(error < 2e-6)
    // Without such a channel there is no room.
    let full = try #require(source.layers[0].attention as? LatentAttention)
    let refusal = #expect(throws: CheckpointError.self) {
      try StockLatentAttention(
        full, rank: 16, inputGain: source.layers[0].attentionNorm,
        rotary: RotaryEmbedding(width: 8, theta: 10_000, pairing: .interleaved),
        place: StockLatentAttention.Place(file: "test", layer: 0))
    }
    #expect(refusal?.description.contains("a factorisation of rank 15") == true)
  }

  @Test("biases of latents and RoPE keys, another scale, and pairs out of order stay exact")
  func everythingElse() throws {
    let source = try ExportSupport.model("mla:15+8@f32")
    let order = [2, 0, 3, 1]
    let frequencies = StockRotary.frequencies(theta: 10_000, width: 8)
    let layers = try source.layers.map { layer in
      var layer = layer
      let module = try #require(layer.attention as? LatentAttention)
      let down = try #require(module.down)
      var options = module.options
      options.scale = 0.31
      options.rotary = RotaryEmbedding(
        frequencies: order.map { frequencies[$0] }, pairing: .halfSplit)
      layer.attention = LatentAttention(
        layout: module.layout, shape: module.shape, query: module.query,
        down: Linear(
          weight: down.weight, bias: (0..<down.outputs).map { Float($0 % 5) * 0.1 - 0.2 }),
        keyUp: module.keyUp, valueUp: module.valueUp, output: module.output, options: options)
      return layer
    }
    let changed = ExportSupport.with(source, layers: layers)
    let error = try ExportSupport.error(
      ExportSupport.logits(ExportSupport.stock(changed)), ExportSupport.logits(changed))
    #expect(error < 2e-6)
  }

  @Test("a bias of the queries goes beside a constant of their own")
  func queryBias() throws {
    let folder = try TemporaryFolder()
    let source = try ExportSupport.model("mla:15+8@f32")
    let layers = try source.layers.map { layer in
      var layer = layer
      let module = try #require(layer.attention as? LatentAttention)
      layer.attention = LatentAttention(
        layout: module.layout, shape: module.shape,
        query: Linear(
          weight: module.query.weight,
          bias: (0..<module.query.outputs).map { Float($0 % 7) * 0.3 - 0.9 }),
        down: module.down, keyUp: module.keyUp, valueUp: module.valueUp, output: module.output,
        options: module.options)
      return layer
    }
    let changed = ExportSupport.with(source, layers: layers)
    let logits = try ExportSupport.logits(changed)
    #expect(try ExportSupport.error(logits, ExportSupport.logits(source)) > 1e-2)
    try changed.write(to: folder("out"))
    let checkpoint = try CheckpointFolder(path: folder("out"))
    #expect(checkpoint.config.queryLatentRank == 49)
    let read = try DecoderModel(
      checkpoint: checkpoint, name: "read", pool: ExportSupport.pool)
    #expect(try ExportSupport.error(ExportSupport.logits(read), logits) < 2e-6)
  }
}
