import AttentionCore
import Foundation
import Testing
import ZooHarness
import ZooMemory
import ZooModels

@Suite(
  "Latent attention from a trained model", .serialized,
  .enabled(if: EmbeddedModel.folder != nil, "the embedded model is not installed"))
struct ConversionLossTests {
  private let pool = WorkerPool(threads: 2)

  /// The embedded model under several goals, one segment of its text scored.
  private func results(_ goals: [ConversionRunner.Goal]) throws -> [ConversionRunner.Result] {
    let source = try CheckpointLayers(
      folder: try CheckpointFolder(path: try EmbeddedModel.requireFolder()), name: "embedded",
      format: .float32, pool: pool)
    let ids = try EmbeddedModel.evaluationText()
    let tokens = try ConversionTokens(
      ids: ids, byteCounts: ids.map { _ in 1 }, source: "held-out text", calibration: 1024,
      evaluation: 1, longest: source.geometry.maxPositions)
    return try ConversionRunner(source: source, tokens: tokens, pool: pool).run(goals)
  }

  private func goal(
    _ notation: String, _ method: ConversionOptions.Method, fold: Int? = nil
  ) throws -> ConversionRunner.Goal {
    .init(
      target: try AxisRegistry.standard.variant(notation),
      options: ConversionOptions(method: method, fold: fold))
  }

  @Test("keeps far more of it, calibrated, than from its weights alone")
  func calibratedWins() throws {
    let found = try results([
      try goal("mla:64+32@f32", .calibrated, fold: 2),
      try goal("mla:64+32@f32", .weightsOnly, fold: 2),
    ])
    let (seen, blind) = (try #require(found[0].reduced), try #require(found[1].reduced))
    #expect(blind.natsPerToken - seen.natsPerToken > 0.3)
    #expect(seen.meanKL < blind.meanKL / 1.5 && seen.top1Agreement > blind.top1Agreement)
    // Layer by layer, too.
    for (left, right) in zip(found[0].layers, found[1].layers) {
      #expect(try #require(left.outputError) < #require(right.outputError))
    }
  }

  @Test("is the model itself where every head keeps its rotation and the rank is full")
  func exact() throws {
    let target = "mla:256+32x8@f32"
    for result in try results([try goal(target, .calibrated), try goal(target, .weightsOnly)]) {
      #expect(try #require(result.reduced).meanKL < 1e-8)
      #expect(try #require(result.reduced).top1Agreement == 1)
      #expect(result.layers.allSatisfy { ($0.outputError ?? 1) < 1e-5 })
    }
  }
}
