import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("Layers get their fitted norms one after another")
struct BiasFreeFitTests {
  private static func segment(_ offset: Int32) -> [Int32] {
    (0..<Int32(40)).map { ($0 * 13 + offset) % 56 }
  }

  private let tokens = [segment(3), segment(10)]

  @Test("each on what the fitted layers before it give, so that later layers make up for earlier")
  func sequential() throws {
    let pool = ExportSupport.pool
    let model = try ExportSupport.model("mla:15+8@f32")
    let (fitted, norms) = try model.fittingLatentNorms(calibration: tokens, pool: pool)
    #expect(norms.count == 3 && norms.allSatisfy { $0.tokens == 80 && $0.spread > 0 })
    // A layer's inputs before any was fitted are those of the first layer alone.
    let alone = try BiasFreeFit(
      calibration: tokens, evaluation: [], table: model.embedding, settings: model.settings,
      pool: pool)
    _ = try alone.fit(model.layers[0])
    #expect(alone.norms[0] == norms[0])
    let error = try ExportSupport.error(
      ExportSupport.logits(fitted), ExportSupport.logits(model))
    // Latents of 15 random channels spread widely in size: much is lost.
    #expect(error > 1e-2 && error < 0.8)
    // Norms that are wrong by a factor are worse.
    let wrong = try model.layers.enumerated().map { index, layer in
      var layer = layer
      let module = try #require(fitted.layers[index].attention as? LatentAttention)
      var options = module.options
      options.latentNorm = options.latentNorm?.map { $0 * 1.5 }
      layer.attention = LatentAttention(
        layout: module.layout, shape: module.shape, query: module.query, down: module.down,
        keyUp: module.keyUp, valueUp: module.valueUp, output: module.output, options: options)
      return layer
    }
    let worse = try ExportSupport.error(
      ExportSupport.logits(ExportSupport.with(model, layers: wrong)),
      ExportSupport.logits(model))
    #expect(worse > 1.1 * error)
  }

  @Test("a folder without biases reads back as the fitted model")
  func written() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mla:15+8@f32")
    let fitted = try model.fittingLatentNorms(calibration: tokens, pool: ExportSupport.pool).model
    try fitted.write(to: folder("out"))
    let checkpoint = try CheckpointFolder(path: folder("out"))
    #expect(!checkpoint.config.hasAttentionBias && checkpoint.config.keyValueLatentRank == 15)
    let read = try DecoderModel(checkpoint: checkpoint, name: "read", pool: ExportSupport.pool)
    #expect(
      try ExportSupport.error(ExportSupport.logits(read), ExportSupport.logits(fitted)) < 1e-5)
  }

  @Test("layers with biases or without latents of their own are refused in one line")
  func refusals() throws {
    let model = try ExportSupport.model("mla:15+8@f32")
    let module = try #require(model.layers[0].attention as? LatentAttention)
    let down = try #require(module.down)
    var biased = model.layers[0]
    biased.attention = LatentAttention(
      layout: module.layout, shape: module.shape, query: module.query,
      down: Linear(weight: down.weight, bias: [Float](repeating: 0.5, count: down.outputs)),
      keyUp: module.keyUp, valueUp: module.valueUp, output: module.output,
      options: module.options)
    let grouped = try ExportSupport.model("mha@f32").layers[0]
    for (layer, reason) in [
      (biased, "a bias of the latents"), (grouped, "converted latent layers"),
    ] {
      let fit = try BiasFreeFit(
        calibration: tokens, evaluation: [], table: model.embedding, settings: model.settings,
        pool: ExportSupport.pool)
      let refusal = #expect(throws: CheckpointError.self) { try fit.fit(layer) }
      let text = refusal?.description ?? ""
      #expect(text.contains(reason) && !text.contains("\n"), "\(text)")
    }
  }
}
