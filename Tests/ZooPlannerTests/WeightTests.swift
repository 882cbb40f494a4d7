import AttentionCore
import Testing
import ZooMemory
import ZooModels
import ZooPlanner

@Suite("Parameters, against published counts")
struct WeightTests {
  @Test("every preset with an exact published count", arguments: ModelPresets.all)
  func published(preset: ModelPreset) throws {
    guard let published = preset.published else { return }
    let plan = try weightPlan(preset.name)
    if published.isExact {
      #expect(plan.total == published.total)
    } else {
      #expect(abs(Double(plan.total) / Double(published.total) - 1) < 0.005)
    }
    if let active = published.active {
      // Published counts of active parameters leave out the input embedding and are rounded.
      #expect(abs(Double(plan.multipliedPerToken) / Double(active) - 1) < 0.03)
    } else {
      #expect(plan.active == plan.total)
    }
  }

  @Test(
    "counts of checkpoints whose published figure is rounded",
    arguments: [
      ("llama-3.2-1b", 1_235_814_400), ("llama-3.2-3b", 3_212_749_824),
      ("qwen2.5-7b", 7_615_616_512), ("minicpm3-4b", 4_073_875_968),
    ])
  func rounded(name: String, count: Int) throws {
    #expect(try weightPlan(name).total == count)
    #expect(try weightPlan(name).bytes == 2 * count)
    #expect(try weightPlan(name, bits: 32).bytes == 4 * count)
  }

  @Test("2·V·D + 3·D·F·L + (2·D·N·H + 2·D·K·H)·L and the norms")
  func closedForm() throws {
    let g = try geometry("llama-3.1-8b")
    let closed =
      2 * g.vocabulary * g.hidden + 3 * g.hidden * g.mlpWidth * g.layers
      + (2 * g.hidden * g.queryHeads * g.headWidth + 2 * g.hidden * 8 * g.headWidth) * g.layers
    #expect(try weightPlan("llama-3.1-8b").total == closed + (2 * g.layers + 1) * g.hidden)
  }

  @Test("latent projections: queries, the row, both up-projections, the output")
  func latent() throws {
    let own = try weightPlan("llama-3.2-1b")
    let latent = try weightPlan("llama-3.2-1b", "mla:512+64")
    let layer = 32 * (64 + 64) * 2_048 + 576 * 2_048 + 32 * (64 + 64) * 512 + 32 * 64 * 2_048
    #expect(latent.attention == 16 * layer)
    #expect(latent.total - latent.attention == own.total - own.attention)
    // One RoPE slice a KV head is taken from the head: queries keep their width.
    let sliced = try weightPlan("llama-3.2-1b", "mla:512+32x8")
    let slicedLayer =
      32 * 64 * 2_048 + (512 + 32 * 8) * 2_048 + 32 * (32 + 64) * 512 + 32 * 64 * 2_048
    #expect(sliced.attention == 16 * slicedLayer)
  }

  @Test("sharers drop what makes rows and keep their own up-projections")
  func sharing() throws {
    let own = try weightPlan("llama-3.2-1b", "gqa:8")
    let shared = try weightPlan("llama-3.2-1b", "gqa:8/cla:2")
    #expect(own.total - shared.total == 8 * 2 * 8 * 64 * 2_048)
    let latent = try weightPlan("llama-3.2-1b", "mla:512+64")
    let sharedLatent = try weightPlan("llama-3.2-1b", "mla:512+64/cla:2")
    #expect(latent.total - sharedLatent.total == 8 * 576 * 2_048)
  }

  @Test(
    "the decoder that runs has the planned parameters and FLOPs",
    arguments: [
      "mha", "gqa:2", "mqa", "gqa:2/cla:2", "mla:24+8", "mla:24+8x2", "mla:16+8/cla:3",
      "mqa/cla:2/hybrid:2:1:8", "[mha*2,gqa:2*2,mla:16+8*2]",
    ])
  func decoder(notation: String) throws {
    for tied in [true, false] {
      var geometry = ModelGeometry.tiny
      geometry.tiedEmbeddings = tied
      let model = try DecoderModel(
        randomWeights: geometry, variant: variant(notation), format: .float32, seed: 1,
        pool: WorkerPool(threads: 1))
      let plan = try WeightPlan(
        geometry: geometry, variant: variant(notation), bitsPerParameter: 32)
      #expect(plan.total == model.parameters)
      #expect(plan.bytes == model.weightBytes)
      #expect(2 * plan.multipliedPerToken == model.linearFLOPsPerToken)
    }
  }

  @Test("a step reads the experts that it touches")
  func experts() throws {
    let mixtral = try weightPlan("mixtral-8x7b")
    let one = mixtral.touchedBytes(sequences: 1)
    let norms = 2 * Double(mixtral.norms)
    #expect(abs(one - norms - 2 * Double(mixtral.multipliedPerToken)) < 16)
    let many = mixtral.touchedBytes(sequences: 10_000)
    #expect(abs(many - 2 * Double(mixtral.total - mixtral.embedding)) < 16)
    #expect(one < mixtral.touchedBytes(sequences: 2))
    let traits = ExpertTraits(count: 8, active: 2, width: 1)
    #expect(abs(traits.touchedShare(tokens: 3) - (1 - 0.75 * 0.75 * 0.75)) < 1e-15)
  }
}
