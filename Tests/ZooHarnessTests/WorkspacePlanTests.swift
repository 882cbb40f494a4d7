import AttentionCore
import Testing
import ZooHarness
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("Workspace by computation")
struct WorkspacePlanTests {
  @Test(
    "what the decoder holds after a prefill chunk and a step is what was computed",
    arguments: ["mha", "gqa:2", "mqa", "mla:16+8", "mla:24+4x2", "mha/swa:8", "mqa/cla:2"],
    [1, 40, 300])
  func agrees(notation: String, batch: Int) throws {
    let variant = try AxisRegistry.standard.variant(notation)
    let pool = WorkerPool(threads: 2)
    let model = try DecoderModel(
      randomWeights: .tiny, variant: variant, format: .float16, seed: 1, pool: pool)
    let runner = try DecoderRunner(model: model, pool: pool)
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
      geometry: .tiny, layouts: model.layouts, threads: 2, chunk: 64
    ).bytes(sequences: batch)
    // Some twenty buffers, each rounded up to a page.
    let rounding = 24 * 4_096
    #expect(abs(runner.workspaceBytes - computed) <= computed / 50 + rounding)
  }
}
