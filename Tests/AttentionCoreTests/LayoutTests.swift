import AttentionCore
import Testing

@Suite("Bytes of published models follow from their geometry")
struct PublishedBytesTests {
  /// A model, the variant it uses, its bytes a token inside and past its windows.
  struct Published: Sendable, CustomTestStringConvertible {
    var geometry: ModelGeometry
    var notation: String
    var inside: Int
    var past: Int

    init(
      _ name: String, _ layers: Int, queryHeads: Int, keyValueHeads: Int? = nil, headWidth: Int,
      latentHeads: LatentHeadWidths? = nil, _ notation: String, _ inside: Int, past: Int? = nil
    ) {
      geometry = .attention(
        name, layers: layers, queryHeads: queryHeads, keyValueHeads: keyValueHeads,
        headWidth: headWidth, latentHeads: latentHeads)
      self.notation = notation
      self.inside = inside
      self.past = past ?? inside
    }

    var testDescription: String { "\(geometry.name) \(notation)" }
  }

  private static let deepSeekHeads = LatentHeadWidths(nope: 128, rope: 64, value: 128)

  /// Configurations as published; DeepSeek-V3, Qwen2.5-72B and Llama-3.1-405B are Table 1 of
  /// "Insights into DeepSeek-V3" (arXiv 2505.09343).
  static let models: [Published] = [
    Published("llama-2-7b", 32, queryHeads: 32, headWidth: 128, "mha", 524_288),
    Published(
      "llama-3.2-1b", 16, queryHeads: 32, keyValueHeads: 8, headWidth: 64, "gqa:8", 32_768),
    Published(
      "llama-3.1-8b", 32, queryHeads: 32, keyValueHeads: 8, headWidth: 128, "gqa:8", 131_072),
    Published(
      "llama-3.1-70b", 80, queryHeads: 64, keyValueHeads: 8, headWidth: 128, "gqa:8", 327_680),
    Published(
      "llama-3.1-405b", 126, queryHeads: 128, keyValueHeads: 8, headWidth: 128, "gqa:8", 516_096),
    Published(
      "qwen2.5-7b", 28, queryHeads: 28, keyValueHeads: 4, headWidth: 128, "gqa:4", 57_344),
    Published(
      "deepseek-v2", 60, queryHeads: 128, headWidth: 128, latentHeads: deepSeekHeads,
      "mla:512+64", 69_120),
    Published(
      "deepseek-v3", 61, queryHeads: 128, headWidth: 128, latentHeads: deepSeekHeads,
      "mla:512+64", 70_272),
    Published(
      "gemma-3-27b", 62, queryHeads: 32, keyValueHeads: 16, headWidth: 128,
      "gqa:16/hybrid:5:1:1024", 507_904, past: 81_920),
    Published(
      "gpt-oss-120b", 36, queryHeads: 64, keyValueHeads: 8, headWidth: 64,
      "gqa:8/hybrid:1:1:128", 73_728, past: 36_864),
    // CLA paper (arXiv 2405.12981), 1B models.
    Published("cla-1b", 20, queryHeads: 16, headWidth: 128, "mha", 163_840),
    Published("cla-1b", 20, queryHeads: 16, headWidth: 128, "gqa:4", 40_960),
    Published("cla-1b", 20, queryHeads: 16, headWidth: 128, "mqa", 10_240),
    Published("cla-1b", 20, queryHeads: 16, headWidth: 128, "mqa/cla:2", 5_120),
  ]

  @Test("with two bytes an element", arguments: models)
  func bytesPerToken(model: Published) throws {
    for codec in ["", "@bf16", "@f16:bf16"] {
      let layouts = try AxisRegistry.standard.layouts(model.notation + codec, on: model.geometry)
      #expect(layouts.bytesPerToken == model.inside)
      #expect(layouts.bytesOfToken(after: 0) == model.inside)
      #expect(layouts.bytesOfToken(after: 127) == model.inside)
      #expect(layouts.bytesOfToken(after: 32_768) == model.past)
    }
    let wide = try AxisRegistry.standard.layouts(model.notation + "@f32", on: model.geometry)
    #expect(wide.bytesPerToken == 2 * model.inside)
  }

  @Test("gpt-oss leaves its window at the 129th token, Gemma 3 at the 1,025th")
  func windowEdges() throws {
    for model in Self.models where model.inside != model.past {
      let width = model.notation.hasSuffix("1024") ? 1_024 : 128
      let layouts = try AxisRegistry.standard.layouts(model.notation, on: model.geometry)
      #expect(layouts.bytesOfToken(after: width - 1) == model.inside)
      #expect(layouts.bytesOfToken(after: width) == model.past)
    }
  }

  @Test("llama.cpp's log for DeepSeek-V3 at 32,768 tokens: 244 MiB of RoPE keys, 1,952 of latents")
  func deepSeekInLlamaCpp() throws {
    // ggml-org/llama.cpp pull request 11446.
    let layouts = try AxisRegistry.standard.layouts("mla:512+64", on: .deepSeek3)
    let mebibyte = 1 << 20
    #expect(layouts.reduce(0) { $0 + $1.idealBytes(context: 32_768) } == 2_196 * mebibyte)
    let plan = CachePlan(storage: .contiguous, sequences: 1, capacity: 32_768)
    #expect(CacheFootprint(layouts: layouts, plan: plan).rowBytes == 2_196 * mebibyte)
    #expect(CacheFootprint(layouts: layouts, plan: plan).roundingBytes == 0)
    #expect(layouts.allSatisfy { $0.shape.valueWidth * 2 * 32_768 * 61 == 1_952 * mebibyte })
  }

  @Test("DeepSeek-V3's ladder: expanded rows, latent with a copy, latent alone")
  func deepSeekLadder() throws {
    let latent = try AxisRegistry.standard.layouts("mla:512+64", on: .deepSeek3)
    func bytes(_ shape: RowShape) -> Int {
      latent.map {
        KVLayout(
          layer: $0.layer, owner: $0.owner, heads: $0.heads, shape: shape, reach: $0.reach,
          codec: $0.codec)
      }.bytesPerToken
    }
    let expanded = RowShape(
      streams: 128, keyWidth: 192, valueWidth: 128, valueIsKeyPrefix: false,
      queryHeadsPerStream: 1)
    let copied = RowShape(
      streams: 1, keyWidth: 576, valueWidth: 512, valueIsKeyPrefix: false,
      queryHeadsPerStream: 128)
    #expect(bytes(expanded) == 4_997_120)
    #expect(bytes(copied) == 132_736)
    #expect(latent.bytesPerToken == 70_272)
  }

  @Test("DeepSeek-V2 keeps 34.6 K elements a token")
  func deepSeek2Elements() throws {
    let layouts = try AxisRegistry.standard.layouts("mla:512+64@f32", on: Self.models[6].geometry)
    #expect(layouts.bytesPerToken / 4 == 34_560)
  }

  @Test("TransMLA: Llama-2-7B at 512+64 removes 92.97 %, Llama-3-8B keeps 28.125 %")
  func transMLA() throws {
    // arXiv 2502.07864.
    func kept(_ index: Int) throws -> Double {
      let model = Self.models[index]
      let layouts = try AxisRegistry.standard.layouts("mla:512+64", on: model.geometry)
      return Double(layouts.bytesPerToken) / Double(model.inside)
    }
    #expect(abs(1 - (try kept(0)) - 0.9297) < 0.00005)
    #expect(try kept(2) == 0.28125)
  }

  @Test(
    "MHA2MLA removes 1 − (d_r + d_kv) / 2d_h, one RoPE slice and one latent part a head",
    arguments: [(16, 64, 0.6875), (16, 32, 0.8125), (16, 16, 0.875)])
  func mha2mla(rope: Int, latent: Int, removed: Double) throws {
    // arXiv 2502.14837, heads of 128.
    let notation = "mla:\(latent * 32)+\(rope)x32"
    let layouts = try AxisRegistry.standard.layouts(notation, on: .llama2)
    #expect(1 - Double(layouts.bytesPerToken) / 524_288 == removed)
  }
}

@Suite("A layout")
struct LayoutTests {
  private static let contexts = [0, 1, 2, 6, 7, 8, 15, 16, 17, 100]

  /// Every sample of heads and reach with a few codecs.
  private static var notations: [String] {
    let registry = AxisRegistry.extended
    let reaches =
      [""]
      + registry.reaches.flatMap { $0.samples }.flatMap {
        ["/" + $0, "/\($0)/sink:1", "/\($0)/sink:4"]
      }
    let codecs = ["", "@f32", "@f16:f32", "@f32:bf16", "@fixed:4"]
    return registry.heads.flatMap { $0.samples }.flatMap { head in
      reaches.flatMap { reach in codecs.map { head + reach + $0 } }
    }
  }

  @Test("counts bytes stored, bytes read and FLOPs as the formulas do")
  func formulas() throws {
    for notation in Self.notations {
      let variant = try AxisRegistry.extended.variant(notation)
      for layout in try variant.layouts(for: .small) {
        // Widths of the two codecs by their names, elements a token by the heads.
        let names = layout.codec.notation.split(separator: ":")
        let first = names[0] == "f32" ? 4 : 2
        let second =
          names.count == 2 && names[1] == "f32" ? 4 : first == 4 && names.count == 2 ? 2 : first
        let perToken: Int
        let flopsPerToken: Int
        switch layout.heads {
        case .grouped(let keyValueHeads):
          perToken = keyValueHeads * 16 * (first + second)
          flopsPerToken = 2 * 4 * (16 + 16)
        case .latent(let latent):
          let rope = latent.ropeWidth * latent.ropeSlices
          perToken = latent.rank * first + rope * second
          flopsPerToken = 2 * 4 * (2 * latent.rank + rope)
        }
        #expect(layout.rowBytesPerToken == perToken, "\(notation)")
        for context in Self.contexts {
          let visible = (0..<context).filter { layout.reach.sees($0, from: context - 1) }.count
          #expect(layout.reach.visibleTokens(context: context) == visible)
          #expect(layout.idealBytes(context: context) == perToken * visible)
          #expect(layout.readBytes(context: context) == perToken * visible)
          #expect(layout.attendFLOPs(context: context) == flopsPerToken * visible)
        }
      }
    }
  }

  @Test("W counts the query itself, and sinks keep their positions")
  func reach() {
    let reach = Reach(window: 4, sinks: 2)
    #expect((0...9).filter { reach.sees($0, from: 9) } == [0, 1, 6, 7, 8, 9])
    #expect((0...9).filter { reach.sees($0, from: 3) } == [0, 1, 2, 3])
    #expect((0...9).filter { reach.sees($0, from: 4) } == [0, 1, 2, 3, 4])
    #expect((0...9).filter { Reach(window: 1).sees($0, from: 9) } == [9])
    #expect((0...9).filter { Reach.global.sees($0, from: 5) } == [0, 1, 2, 3, 4, 5])
    #expect(Reach(window: nil, sinks: 4) == .global, "a global layer sees its first tokens anyway")
  }

  @Test("of latent attention has the widths of the design")
  func latentWidths() throws {
    // One shared slice adds to the head; several are taken from it; a checkpoint's widths win.
    func latent(_ notation: String, _ geometry: ModelGeometry) throws -> LatentShape? {
      guard
        case .latent(let shape) = try AxisRegistry.standard.layouts(notation, on: geometry)[0].heads
      else { return nil }
      return shape
    }
    #expect(
      try latent("mla:16+8", .small)
        == LatentShape(rank: 16, ropeWidth: 8, ropeSlices: 1, nopeWidth: 16, valueWidth: 16))
    #expect(
      try latent("mla:24+4x4", .small)
        == LatentShape(rank: 24, ropeWidth: 4, ropeSlices: 4, nopeWidth: 12, valueWidth: 16))
    #expect(
      try latent("mla:512+64", .deepSeek3)
        == LatentShape(rank: 512, ropeWidth: 64, ropeSlices: 1, nopeWidth: 128, valueWidth: 128))
    let shape = try AxisRegistry.standard.layouts("mla:24+4x4", on: .small)[0].shape
    #expect(
      shape
        == RowShape(
          streams: 1, keyWidth: 40, valueWidth: 24, valueIsKeyPrefix: true, queryHeadsPerStream: 4))
  }
}

@Suite("Cross-layer sharing")
struct SharingTests {
  @Test(
    "the first of each F layers of one reach owns the rows",
    arguments: [
      ("mha", [0, 1, 2, 3, 4, 5, 6]), ("mha/cla:1", [0, 1, 2, 3, 4, 5, 6]),
      ("mha/cla:2", [0, 0, 2, 2, 4, 4, 6]), ("mha/cla:3", [0, 0, 0, 3, 3, 3, 6]),
      ("mla:16+8/cla:9", [0, 0, 0, 0, 0, 0, 0]), ("mqa/swa:4/cla:4", [0, 0, 0, 0, 4, 4, 4]),
      // Window layers 0 1 3 4 6, global 2 5.
      ("mqa/hybrid:2:1:8/cla:2", [0, 0, 2, 3, 3, 2, 6]),
      ("mqa/hybrid:2:1:8/cla:3", [0, 0, 2, 0, 4, 2, 4]),
      // Window layers 0 2 4 6, global 1 3 5.
      ("gqa:2/hybrid:1:1:8/sink:2/cla:2", [0, 1, 0, 1, 4, 5, 4]),
      // A window as wide as another's is the same reach, another codec is another cache.
      ("[mha/cla:2,mha/swa:4/cla:2,mha/cla:2*2,mha/swa:4/cla:2*3]", [0, 1, 0, 3, 1, 5, 5]),
      ("[mha/cla:2*3,mqa/cla:2*4]", [0, 0, 2, 3, 3, 5, 5]),
      ("[mha/cla:4*2,mha/cla:4@f32*2,mha/cla:4*3]", [0, 0, 2, 2, 0, 0, 6]),
      ("[mha/cla:3,mha*2,mha/cla:3*4]", [0, 1, 2, 0, 0, 5, 5]),
      ("gqa:2/all", [0, 0, 0, 0, 0, 0, 0]), ("gqa:2/alternate:3/all", [0, 1, 0, 1, 0, 1, 0]),
    ])
  func owners(notation: String, owners: [Int]) throws {
    var geometry = ModelGeometry.small
    geometry.layers = 7
    let layouts = try AxisRegistry.extended.layouts(notation, on: geometry)
    #expect(layouts.map(\.owner) == owners)
    #expect(layouts.map(\.layer) == Array(0..<7))
    for layout in layouts {
      let owner = layouts[layout.owner]
      #expect(owner.ownsRows && owner.shape == layout.shape && owner.reach == layout.reach)
      #expect(layout.idealBytesPerToken == (layout.ownsRows ? owner.rowBytesPerToken : 0))
      #expect(layout.readBytes(context: 9) == owner.readBytes(context: 9), "sharing reads as much")
      #expect(layout.attendFLOPs(context: 9) == owner.attendFLOPs(context: 9))
    }
  }
}

@Suite("A value that saves nothing says so")
struct NoopTests {
  @Test(
    "with the reason",
    arguments: [
      ("gqa:4", 100, "gqa:4 on 4 query heads is mha"), ("mha/cla:1", 100, "cla:1 shares nothing"),
      ("mha/swa:16", 16, "a window of 16 tokens covers the context of 16"),
      ("mha/swa:16/sink:4", 20, "a window of 20 tokens covers the context of 20"),
      ("mha/hybrid:2:1:8", 8, "a window of 8 tokens covers the context of 8"),
      ("[mha,mqa/cla:2,mha*4]", 100, "cla:2 finds no second layer of the same reach"),
      (
        "gqa:4/cla:1/swa:16", 3,
        "gqa:4 on 4 query heads is mha; cla:1 shares nothing; a window of 16 tokens covers the context of 3"
      ),
    ])
  func reasons(notation: String, context: Int, reason: String) throws {
    let variant = try AxisRegistry.standard.variant(notation)
    #expect(try variant.noop(for: .small, context: context) == reason)
  }

  @Test(
    "and one that saves is silent",
    arguments: [
      ("mha", 100), ("gqa:2", 100), ("mqa", 1), ("mla:16+8", 1), ("mha/cla:2", 100),
      ("mha/swa:16", 17), ("mha/swa:16/sink:4", 21), ("mha/hybrid:2:1:8", 9),
      // One global layer alone, five window layers that share.
      ("mha/hybrid:5:1:8/cla:2", 100), ("mha/cla:6", 100),
    ])
  func silence(notation: String, context: Int) throws {
    #expect(try AxisRegistry.standard.variant(notation).noop(for: .small, context: context) == nil)
  }
}
