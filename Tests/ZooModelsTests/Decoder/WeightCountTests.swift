import AttentionCore
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A model counts every weight that it holds")
struct WeightCountTests {
  @Test("matrices, norms and biases; a tied head once", arguments: [false, true])
  func counts(tied: Bool) throws {
    let geometry = ModelGeometry(
      name: "small", layers: 2, hidden: 32, queryHeads: 2, keyValueHeads: 2, headWidth: 16,
      mlpWidth: 40, vocabulary: 20, tiedEmbeddings: tied, maxPositions: 64)
    let plain = try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant("mha"),
      format: .float32, seed: 1, pool: WorkerPool(threads: 1))
    let layer = 4 * 32 * 32 + 3 * 32 * 40 + 2 * 32
    let expected = (tied ? 1 : 2) * 20 * 32 + 2 * layer + 32
    #expect(plain.parameters == expected && plain.weightBytes == 4 * expected)

    let biased = DecoderModel(
      geometry: geometry, variant: plain.variant, settings: plain.settings,
      layouts: plain.layouts, embedding: plain.embedding,
      layers: plain.layers.map { layer in
        func with(_ linear: Linear) -> Linear {
          Linear(weight: linear.weight, bias: [Float](repeating: 1, count: linear.outputs))
        }
        guard let mlp = layer.feedForward.dense else { return layer }
        var layer = layer
        layer.feedForward = .dense(
          GatedMLP(gate: with(mlp.gate), up: with(mlp.up), down: with(mlp.down)))
        return layer
      }, finalNorm: plain.finalNorm, head: tied ? nil : plain.head, weightSource: "biased",
      weightHash: "biased")
    let more = expected + 2 * (40 + 40 + 32)
    #expect(biased.parameters == more && biased.weightBytes == 4 * more)
  }
}
