import AttentionCore
import AttentionZoo
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("What was written is read back as the model that it was")
struct RoundTripTests {
  private func read(_ path: String) throws -> DecoderModel {
    try DecoderModel(
      checkpoint: try CheckpointFolder(path: path), name: "read", format: .float32,
      pool: ExportSupport.pool)
  }

  @Test(
    "latent attention as DeepSeek-V3, a constant in one channel of its latent",
    arguments: [7, 15, 16], [true, false])
  func latent(rank: Int, tied: Bool) throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mla:\(rank)+8@f32", tied: tied)
    try model.write(to: folder("out"), options: ExportOptions(shardBytes: 30_000))
    let config = try CheckpointFolder(path: folder("out")).config
    #expect(config.architecture == .deepseekV3 && config.hasAttentionBias)
    #expect(config.keyValueLatentRank == rank + 1 && config.mixture == nil)
    let read = try read(folder("out"))
    #expect(read.variant.notation == "mla:\(rank + 1)+8")
    #expect(try ExportSupport.error(ExportSupport.logits(read), ExportSupport.logits(model)) < 1e-5)
    // And once more, as a DeepSeek model of its own: its norm stays.
    try read.write(to: folder("again"), source: config)
    #expect(
      try ExportSupport.error(
        ExportSupport.logits(self.read(folder("again"))), ExportSupport.logits(read)) < 1e-5)
  }

  @Test("bfloat16 rounds weights once, and the constant not at all")
  func narrow() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mla:15+8@f32")
    try model.write(to: folder("out"), options: ExportOptions(dtype: .bf16))
    let read = try read(folder("out"))
    let module = try #require(read.layers[0].attention as? LatentAttention)
    let bias = try #require(module.down?.bias)
    #expect(bias[15].significand == 1 && bias[..<15].allSatisfy { $0 == 0 })
    let error = try ExportSupport.error(ExportSupport.logits(read), ExportSupport.logits(model))
    #expect(error > 1e-4 && error < 0.05)
  }

  @Test(
    "windows in some layers, as Qwen2 with biases of zero",
    arguments: ["gqa:2/hybrid:1:1:8@f32", "mha/hybrid:2:1:16@f32", "[mqa@f32,mqa/swa:8@f32*2]"])
  func pattern(notation: String) throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model(notation)
    try model.write(to: folder("out"))
    let config = try CheckpointFolder(path: folder("out")).config
    #expect(config.architecture == .qwen2)
    let read = try read(folder("out"))
    #expect(read.layouts.map(\.reach) == model.layouts.map(\.reach))
    #expect(try ExportSupport.logits(read) == ExportSupport.logits(model))
  }
}
