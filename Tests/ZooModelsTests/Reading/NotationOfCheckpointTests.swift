import AttentionCore
import Testing
import ZooModels

@Suite("A configuration has a notation")
struct NotationOfCheckpointTests {
  @Test(
    "heads, windows and lists of the fixtures",
    arguments: [
      ("llama", "mha"), ("llama-biases-tied-llama3", "gqa:2"), ("llama-yarn", "mqa"),
      ("mistral-window", "gqa:2/swa:16"), ("qwen2-late-windows", "[gqa:3*2,gqa:3/swa:13*2]"),
      ("qwen3-yarn", "mqa"), ("gemma2", "gqa:2/hybrid:1:1:9"), ("gemma3", "mqa/hybrid:5:1:12"),
      ("mixtral", "gqa:2/swa:16"), ("deepseek-v2", "mla:16+8"), ("deepseek-v3", "mla:16+8"),
      ("gpt-oss", "gqa:2/hybrid:1:1:16"), ("gpt-oss-mxfp4", "mqa/hybrid:1:1:10"),
    ])
  func notation(name: String, notation: String) throws {
    let config = try TransformersFixture(name: name).folder().config
    #expect(config.notation == notation)
    let geometry = ModelGeometry(config, name: name)
    let variant = try AxisRegistry.standard.variant(geometry.native)
    #expect(variant.notation == notation)
    let layouts = try variant.layouts(for: geometry)
    for layout in layouts {
      #expect(layout.reach.window == config.window(ofLayer: layout.layer))
    }
  }

  @Test("latent widths come from the configuration")
  func latentWidths() throws {
    let config = try TransformersFixture(name: "deepseek-v3").folder().config
    let geometry = ModelGeometry(config, name: "v3")
    #expect(geometry.latentHeads == LatentHeadWidths(nope: 12, rope: 8, value: 10))
    let layouts = try AxisRegistry.standard.variant(geometry.native).layouts(for: geometry)
    guard case .latent(let shape) = layouts[0].heads else {
      Issue.record("latent layouts")
      return
    }
    #expect(shape.rank == 16 && shape.headWidth == 20 && shape.valueWidth == 10)
  }

  @Test("windows that follow no round are listed, layer by layer")
  func lists() throws {
    var config = HFConfig(
      architecture: .qwen3, hiddenSize: 8, layerCount: 6, headCount: 2, keyValueHeadCount: 1,
      headDimension: 4, intermediateSize: 8, vocabularySize: 8, maximumPositions: 64)
    #expect(config.notation == "mqa")
    config.slidingWindow = 5
    #expect(config.notation == "mqa/swa:5")
    config.windowLayers = [false, true, true, false, true, false]
    #expect(config.notation == "[mqa,mqa/swa:5*2,mqa,mqa/swa:5,mqa]")
    config.windowLayers = [true, true, false, true, true, false]
    #expect(config.notation == "mqa/hybrid:2:1:5")
    config.windowLayers = [true, true, true, false, false, false]
    #expect(config.notation == "mqa/hybrid:3:3:5")
  }
}
