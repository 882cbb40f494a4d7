import AttentionCore
import Foundation
import Testing
import ZooHarness
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooPlanner

@Suite("What is planned of a checkpoint is what it takes")
struct CheckpointPlanTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/Transformers").standardizedFileURL.path

  /// Checkpoints of every architecture.
  static let fixtures =
    ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()

  private func model(_ name: String) throws -> (DecoderModel, HFConfig) {
    let folder = try CheckpointFolder(path: Self.root + "/" + name)
    let model = try DecoderModel(
      checkpoint: folder, name: name, format: .float32, pool: WorkerPool(threads: 2))
    return (model, folder.config)
  }

  @Test("parameters, bytes and multiplications a token", arguments: fixtures)
  func weights(name: String) throws {
    let (model, config) = try model(name)
    let plan = try WeightPlan(
      geometry: model.geometry, variant: model.variant, traits: WeightTraits(config),
      bitsPerParameter: 32)
    #expect(plan.total == model.parameters)
    #expect(plan.bytes == model.weightBytes)
    #expect(2 * plan.multipliedPerToken == model.linearFLOPsPerToken)
    #expect(plan.active <= plan.total)
    #expect((plan.active < plan.total) == (plan.routedExperts > 0))
  }

  @Test("scratch of the decoder after a prefill chunk and a step", arguments: fixtures)
  func workspace(name: String) throws {
    let (model, config) = try model(name)
    let batch = 70
    let runner = try DecoderRunner(model: model, pool: WorkerPool(threads: 2))
    let cache = try KVCache(
      layouts: model.layouts, plan: CachePlan(sequences: batch, capacity: 65, maxChunk: 64))
    var sequences: [Int] = []
    for _ in 0..<batch { sequences.append(try cache.addSequence()) }
    try runner.forward(
      tokens: Array(repeating: 1, count: 64), plan: BatchPlan([(sequences[0], 0, 64)]),
      cache: cache)
    try runner.forward(
      tokens: Array(repeating: 1, count: batch),
      plan: BatchPlan(sequences.map { ($0, $0 == sequences[0] ? 64 : 0, 1) }), cache: cache)
    let computed = WorkspacePlan(
      geometry: model.geometry, layouts: model.layouts, threads: 2, chunk: 64,
      traits: WeightTraits(config)
    ).bytes(sequences: batch)
    // Some thirty buffers, each rounded up to a page.
    let rounding = 30 * 4_096
    #expect(abs(runner.workspaceBytes - computed) <= computed / 50 + rounding)
  }
}
