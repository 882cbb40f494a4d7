import AttentionCore
import AttentionZoo
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A norm fitted to the size of latents, for engines that always normalise them")
struct FittedNormTests {
  private let source: LatentAttention
  private let pool = WorkerPool(threads: 2)

  init() throws {
    let model = try ExportSupport.model("mla:15+8@f32")
    source = try #require(model.layers[0].attention as? LatentAttention)
  }

  /// Inputs whose latents have the given root mean squares.
  private func inputs(_ sizes: [Double]) throws -> Matrix {
    let down = try #require(source.down)
    var generator = SeededGenerator(seed: 4)
    let result = try Matrix(rows: sizes.count, columns: 48)
    let latents = try Matrix(rows: sizes.count, columns: down.outputs)
    for index in 0..<sizes.count * 48 {
      result.pointer[index] = Float.random(in: -1...1, using: &generator)
    }
    down.apply(
      input: result.view, output: latents.mutableView, pool: pool,
      scratch: try LinearScratch(maximumInputs: 48, threads: pool.threads))
    for (row, size) in sizes.enumerated() {
      let square = (0..<15).reduce(0.0) {
        $0 + Double(latents[row, $1]) * Double(latents[row, $1])
      }
      let factor = Float(size / (square / 15).squareRoot())
      for column in 0..<48 { result[row, column] *= factor }
    }
    return result
  }

  private func output(_ module: LatentAttention, _ inputs: Matrix) throws -> [Float] {
    let cache = try KVCache(
      layouts: [module.layout],
      plan: CachePlan(sequences: 1, capacity: inputs.rows, maxChunk: inputs.rows))
    let sequence = try cache.addSequence()
    try cache.extend(sequence, by: inputs.rows)
    let result = try Matrix(rows: inputs.rows, columns: 48)
    try module.forward(
      hidden: inputs.view, plan: BatchPlan([(sequence, 0, inputs.rows)]), cache: cache.layer(0),
      workspace: try AttentionWorkspace(pool: pool, maximumInputs: 64),
      output: result.mutableView)
    return Array(UnsafeBufferPointer(start: result.pointer, count: inputs.rows * 48))
  }

  @Test("is exact where all latents are of one size")
  func exact() throws {
    let inputs = try inputs(Array(repeating: 0.73, count: 20))
    var fit = FittedNorm()
    try fit.look(at: source, inputs: inputs.view, pool: pool)
    #expect(abs(fit.mean - 0.73) < 1e-5 && fit.spread < 1e-3 && fit.tokens == 20)
    let fitted = try fit.applied(to: source)
    #expect(try ExportSupport.error(output(fitted, inputs), output(source, inputs)) < 1e-4)
    #expect(fitted.options.latentNorm?.allSatisfy { $0 == 1 } == true)
  }

  @Test("takes the mean size, which no other weight beats, and says how far sizes spread")
  func best() throws {
    let sizes = (0..<40).map { 0.5 + Double($0 % 8) / 8 }
    let inputs = try inputs(sizes)
    var fit = FittedNorm()
    // In two parts, as calibration comes.
    try fit.look(at: source, inputs: inputs.view.rows(0..<15), pool: pool)
    try fit.look(at: source, inputs: inputs.view.rows(15..<40), pool: pool)
    let mean = sizes.reduce(0, +) / 40
    #expect(abs(fit.mean - mean) < 1e-5)
    let variance = sizes.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 40
    #expect(abs(fit.spread - variance.squareRoot() / mean) < 1e-4)
    // ‖c − w·c/rms‖² of one token is r(rms − w)².
    func loss(_ weight: Double) -> Double {
      sizes.reduce(0) { $0 + ($1 - weight) * ($1 - weight) }
    }
    #expect(loss(fit.mean) < loss(fit.mean * 1.02) && loss(fit.mean) < loss(fit.mean * 0.98))
    let error = try ExportSupport.error(
      output(fit.applied(to: source), inputs), output(source, inputs))
    #expect(error > 1e-3)
  }

  @Test("is written without any bias and with kv_lora_rank as it is")
  func written() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mla:15+8@f32")
    let layers = try model.layers.map { layer in
      var layer = layer
      let module = try #require(layer.attention as? LatentAttention)
      var fit = FittedNorm()
      // The view does not keep the matrix.
      let hidden = try inputs([0.5, 0.7])
      try withExtendedLifetime(hidden) {
        try fit.look(at: module, inputs: hidden.view, pool: pool)
      }
      layer.attention = try fit.applied(to: module)
      return layer
    }
    try ExportSupport.with(model, layers: layers).write(to: folder("out"))
    let tensors = try ShardedTensors(folder: folder("out"))
    #expect(!tensors.names.contains { $0.hasSuffix(".bias") })
    let name = "model.layers.0.self_attn.kv_a_proj_with_mqa.weight"
    #expect(try tensors.tensor(named: name).shape == [23, 48])
    let config = try String(contentsOfFile: folder("out/config.json"), encoding: .utf8)
    #expect(config.contains("\"kv_lora_rank\": 15") && config.contains("\"attention_bias\": false"))
  }
}
