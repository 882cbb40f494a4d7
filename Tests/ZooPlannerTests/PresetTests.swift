import AttentionCore
import Testing
import ZooModels
import ZooPlanner

@Suite("Model presets")
struct PresetTests {
  @Test("every native notation reads back the same and has a meaning", arguments: ModelPresets.all)
  func native(preset: ModelPreset) throws {
    let variant = try variant(preset.geometry.native)
    #expect(variant.notation == preset.geometry.native)
    #expect(try variant.layouts(for: preset.geometry).count == preset.geometry.layers)
    #expect(!preset.source.isEmpty)
  }

  @Test("names are distinct, in lower case, and found in any case")
  func names() throws {
    let names = ModelPresets.all.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(names.allSatisfy { $0 == $0.lowercased() })
    #expect(try ModelPresets.geometry(named: "Llama-3.2-1B").headWidth == 64)
    #expect(names.count == 34)
  }

  @Test("an unknown name lists what comes near")
  func nearNames() throws {
    func message(_ name: String) -> String {
      do {
        return try ModelPresets.preset(named: name).name
      } catch { return error.description }
    }
    #expect(message("llama-3.2-1").contains("did you mean llama-3.2-1b"))
    #expect(message("deepseek").contains("deepseek-v3"))
    #expect(message("zzzzzzzzzzzzzzzzzzzzzz").contains("expected one of tiny, embedded"))
    #expect(message("").contains("expected one of"))
    #expect(!message(String(repeating: "x\n", count: 100_000)).contains("did you mean"))
  }

  @Test("head widths are not hidden ÷ heads where the model says otherwise")
  func headWidths() throws {
    for (name, width) in [("gemma-3-27b", 128), ("qwen3-32b", 128), ("gpt-oss-120b", 64)] {
      let geometry = try geometry(name)
      #expect(geometry.headWidth == width)
      #expect(geometry.headWidth * geometry.queryHeads != geometry.hidden)
    }
    let latent = try #require(try geometry("deepseek-v3").latentHeads)
    #expect(latent == LatentHeadWidths(nope: 128, rope: 64, value: 128))
  }

  @Test("the package's own geometries take every sample of the notation")
  func ownGeometries() throws {
    let registry = AxisRegistry.standard
    let samples =
      registry.heads.flatMap { $0.samples }
      + registry.sharings.flatMap { $0.samples }.map {
        "mha/" + $0
      } + registry.reaches.flatMap { $0.samples }.map { "mha/" + $0 }
    for sample in samples {
      #expect(try variant(sample).layouts(for: .tiny).count == 6)
    }
    let embedded = try weightPlan("embedded").total
    // At most 9 MB in bfloat16.
    #expect(embedded == 256 * 256 + 6 * (4 * 256 * 256 + 3 * 256 * 576 + 2 * 256) + 256)
    #expect(2 * embedded < 9_000_000)
  }
}
