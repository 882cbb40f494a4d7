import AttentionCore
import Testing

@Suite("The notation")
struct NotationTests {
  /// Every spelling of one point of the product that should mean the same.
  private struct Point {
    var heads: [String]
    var sharing: String?
    var reach: String?
    var sinks: String?
    var codecs: [String]

    /// Parts after the heads in every order, each with every spelling of the codec.
    var spellings: [String] {
      let parts = [sharing, reach, sinks].compactMap { $0 }
      return heads.flatMap { head in
        NotationTests.orders(parts).flatMap { order in
          codecs.map { ([head] + order).joined(separator: "/") + $0 }
        }
      }
    }
  }

  private static func orders(_ parts: [String]) -> [[String]] {
    guard parts.count > 1 else { return [parts] }
    return parts.indices.flatMap { index -> [[String]] in
      var rest = parts
      let first = rest.remove(at: index)
      return orders(rest).map { [first] + $0 }
    }
  }

  /// The whole product of the registry's samples.
  private static func product(of registry: AxisRegistry) -> [Point] {
    let heads = registry.heads.flatMap { $0.samples }.map { head -> [String] in
      switch head {
      case "mqa": ["mqa", "gqa:1"]
      case let head where head.hasPrefix("mla") && !head.contains("x"): [head, head + "x1"]
      default: [head]
      }
    }
    let sharings = [nil] + registry.sharings.flatMap { $0.samples }.map(Optional.some)
    let reaches = [nil] + registry.reaches.flatMap { $0.samples }.map(Optional.some)
    let sinks = [nil] + AttentionSinks.samples.map(Optional.some)
    let names = registry.codecs.flatMap(\.samples)
    let codecs = names.flatMap { first in
      names.map { second -> [String] in
        if first != second { return ["@\(first):\(second)"] }
        return (first == "f16" ? [""] : []) + ["@\(first)", "@\(first):\(first)"]
      }
    }
    var points: [Point] = []
    for head in heads {
      for sharing in sharings {
        for reach in reaches {
          for sink in sinks where sink == nil || reach != nil {
            for codec in codecs {
              points.append(
                Point(heads: head, sharing: sharing, reach: reach, sinks: sink, codecs: codec))
            }
          }
        }
      }
    }
    return points
  }

  @Test(
    "every spelling of a point reads the same, and the shortest of them is printed",
    arguments: [AxisRegistry.standard, AxisRegistry.extended])
  func product(registry: AxisRegistry) throws {
    var printed = Set<String>()
    for point in Self.product(of: registry) {
      let spellings = point.spellings
      let print = try registry.variant(spellings[0]).notation
      #expect(spellings.contains(print))
      #expect(printed.insert(print).inserted, "two points print as \(print)")
      for spelling in spellings {
        let variant = try registry.variant(spelling)
        guard variant.notation == print, print.count <= spelling.count else {
          Issue.record("\(spelling) prints as \(variant.notation), not \(print)")
          continue
        }
        #expect(try registry.variant(print) == variant)
      }
    }
    #expect(printed.count > 2_000)
  }

  @Test("every sample has layouts on the geometry that samples are made for")
  func samplesAreValid() throws {
    for point in Self.product(of: .extended) {
      // Latent attention keeps one row, which a codec that groups tokens takes whole.
      let codecs = point.codecs[0]
      if point.heads[0].hasPrefix("mla"), codecs.contains("c:8"),
        codecs.split(separator: ":").count > 2
      {
        continue
      }
      let layouts = try AxisRegistry.extended.layouts(point.spellings[0], on: .small)
      #expect(layouts.count == 6)
    }
  }

  @Test(
    "a list prints with equal neighbours joined",
    arguments: [
      ("[mha]", "[mha]"), ("[mha,mha]", "[mha*2]"), ("[mha*1,mqa]", "[mha,mqa]"),
      ("[mqa,gqa:1*2,mqa]", "[mqa*4]"), ("[mha@f16,mha]", "[mha*2]"),
      ("[mha,mqa,mha]", "[mha,mqa,mha]"),
      ("[gqa:2/swa:8/cla:2*2,gqa:2*1]", "[gqa:2/cla:2/swa:8*2,gqa:2]"),
      ("[mla:24+8x2@f16:f32,mla:16+8*3]", "[mla:24+8x2@f16:f32,mla:16+8*3]"),
      (
        "[mha/swa:4/sink:2@bf16*5000,mha/sink:2/swa:4@bf16:bf16*5000]",
        "[mha/swa:4/sink:2@bf16*10000]"
      ),
    ])
  func lists(text: String, printed: String) throws {
    let variant = try AxisRegistry.standard.variant(text)
    #expect(variant.notation == printed)
    #expect(try AxisRegistry.standard.variant(printed) == variant)
    #expect(printed.count <= text.count)
  }

  @Test("a list names the layers in order")
  func listLayers() throws {
    let variant = try AxisRegistry.standard.variant("[mha*2,mqa/swa:8*3,mla:16+8]")
    let specs = try variant.specs(for: .small).map(\.notation)
    #expect(specs == ["mha", "mha", "mqa/swa:8", "mqa/swa:8", "mqa/swa:8", "mla:16+8"])
    #expect(variant.uniform == nil)
  }

  @Test("another codec for every layer leaves the other axes alone")
  func storing() throws {
    let bf16 = CodecPair(BFloat16Codec())
    for (text, stored) in [
      ("gqa:2/cla:2/swa:7", "gqa:2/cla:2/swa:7@bf16"), ("mha@f32:f16", "mha@bf16"),
      ("[mha@f32*3,mha@bf16*3]", "[mha@bf16*6]"),
    ] {
      #expect(try AxisRegistry.standard.variant(text).storing(bf16).notation == stored)
    }
  }

  @Test("the codec that goes unsaid is f16")
  func defaultCodec() throws {
    #expect(try AxisRegistry.standard.variant("mha@f16:f16").notation == "mha")
    #expect(try AxisRegistry.standard.variant("mha").uniform?.codec.notation == "f16")
  }

  @Test("a client's codec may carry a parameter on either side of the pair's colon")
  func parametersInPairs() throws {
    for text in ["mha@fixed:4", "mha@fixed:4:f32", "mha@f32:fixed:4", "mha@fixed:4:fixed:10"] {
      #expect(try AxisRegistry.extended.variant(text).notation == text)
    }
    #expect(try AxisRegistry.extended.variant("mha@fixed:4:fixed:4").notation == "mha@fixed:4")
  }

  @Test("an added value of the same keyword takes the old one's place")
  func replacing() {
    let twice = AxisRegistry.extended.adding(FixedPointCodec.entry).adding(HalfHeads.self)
    #expect(twice.codecs.map(\.keyword) == AxisRegistry.extended.codecs.map(\.keyword))
    #expect(
      twice.heads.map { $0.keyword }.sorted()
        == AxisRegistry.extended.heads.map { $0.keyword }.sorted())
    #expect(
      AxisRegistry.standard.codecs.map(\.keyword) == [
        "f32", "f16", "bf16", "fp8", "int8", "int4", "int8c", "int4c",
      ])
  }
}

@Suite("Notation without meaning is refused")
struct RefusedNotationTests {
  @Test(
    "by itself, naming the part",
    arguments: [
      ("", "(empty): must start with one of mha, gqa:K, mqa, mla:R+P or mla:R+PxK"),
      (" mha", "must start with one of"), ("MHA", "must start with one of"),
      ("swa:4", "must start with one of"), ("gqa8", "must start with one of"),
      ("/", "must start with one of"),
      ("@f16", "must start with one of"), ("hybrid", "must start with one of"),
      ("mha:3", "mha:3: mha takes no parameter"), ("mqa:", "mqa:: mqa takes no parameter"),
      ("gqa", "gqa: gqa:K needs K, a number from 1 to 999999999"),
      ("gqa:", "gqa:: gqa:K needs K"), ("gqa:0", "gqa:0: gqa:K needs K"),
      ("gqa:08", "gqa:08: gqa:K needs K"), ("gqa:+8", "gqa:+8: gqa:K needs K"),
      ("gqa:8 ", "gqa:8 : gqa:K needs K"), ("gqa:٨", "gqa:٨: gqa:K needs K"),
      ("gqa:８", "gqa:８: gqa:K needs K"), ("gqa:1000000000", "gqa:K needs K, a number from 1 to"),
      ("gqa:99999999999999999999999", "gqa:K needs K, a number from 1 to"),
      ("mha/cla:0", "cla:0: cla:F needs F"), ("mha/cla", "cla: cla:F needs F"),
      ("mla:0+64", "mla:0+64: mla:R+P or mla:R+PxK needs R"),
      ("mla:512+0", "mla:512+0: mla:R+P or mla:R+PxK needs P"),
      ("mla:512", "mla:512: expected mla:R+P"), ("mla:512+64+1", "expected mla:R+P"),
      ("mla:512+64x", "mla:512+64x: mla:R+P or mla:R+PxK needs K"),
      ("mla:512+64x2x2", "expected mla:R+P"),
      ("mla:512+63", "mla:512+63: RoPE rotates pairs; expected an even P, not 63"),
      ("mla:65537+64", "needs R, a number from 1 to 65536"),
      ("mha/swa:-1", "swa:-1: swa:W needs W"), ("mha/swa:1.5", "swa:W needs W"),
      ("mha/hybrid:5:1", "hybrid:5:1: expected hybrid:L:G:W, for example hybrid:5:1:1024"),
      ("mha/hybrid:5:0:8", "hybrid:5:0:8: hybrid:L:G:W needs G"),
      ("mha/hybrid:1:1:8:8", "expected hybrid:L:G:W"),
      ("mha/sink:4", "mha/sink:4: sink:4 needs a window beside it"),
      ("mha/cla:2/sink:4", "needs a window"), ("mha/swa:8/sink:0", "sink:0: sink:N needs N"),
      ("mha/mqa", "\"mqa\" is none of cla:F, swa:W, hybrid:L:G:W, sink:N"),
      ("mha/", "\"\" is none of"), ("mha//cla:2", "\"\" is none of"),
      ("mha/flash", "\"flash\" is none of"),
      ("mha/swa:4/swa:8", "swa:8 and swa:4 are values of one axis"),
      ("mha/swa:4/hybrid:1:1:8", "hybrid:1:1:8 and swa:4 are values of one axis"),
      ("mha/cla:2/cla:2", "cla:2 and cla:2 are values of one axis"),
      ("mha/swa:8/sink:1/sink:2", "sink:2 and sink:1 are values of one axis"),
      ("mha@", "\"\" is no codec or pair of codecs; expected f32, f16, bf16"),
      ("mha@f17", "\"f17\" is no codec"), ("mha@f16:", "is no codec"), ("mha@:f16", "is no codec"),
      ("mha@f16@f16", "\"f16@f16\" is no codec"), ("mha@f16:f16:f16", "is no codec"),
      ("mha@f16/swa:4", "\"f16/swa:4\" is no codec"),
      ("[", "a list is written [spec*n,spec*n,…]"), ("[]", "a list is written"),
      ("[mha", "a list is written"), ("[mha]*2", "a list is written"),
      ("[mha,]", "must start with one of"), ("[,mha]", "must start with one of"),
      ("[mha*0]", "mha*0: spec*n needs a number of layers n, a number from 1 to 10000"),
      ("[mha*10001]", "a number from 1 to 10000"), ("[mha*]", "mha*: spec*n needs"),
      ("[mha*2*2]", "mha*2*2: a list item is written spec or spec*n"),
      ("[[mha*2],mqa]", "a list holds no lists"), ("[mha*2,[mqa]]", "a list holds no lists"),
      ("[mha/hybrid:1:1:8*6]", "a list names each layer's reach; write swa:W or nothing"),
      ("mha\u{0}", "must start with one of"), ("mha/\nswa:4", "is none of"),
    ])
  func byItself(text: String, message: String) {
    let error = #expect(throws: NotationError.self) { try AxisRegistry.standard.variant(text) }
    let line = error.map(\.description) ?? ""
    #expect(line.contains(message), "\(line)")
    #expect(!line.contains { $0.isNewline }, "the message is one line")
  }

  @Test(
    "at any length, with a message that stays short",
    arguments: [
      String(repeating: "mha", count: 2_000), "gqa:" + String(repeating: "9", count: 4_000),
      "[" + String(repeating: "mha,", count: 3_000) + "mha]",
      "mha/" + String(repeating: "x", count: 4_000), "mha@" + String(repeating: ":", count: 4_000),
      String(repeating: "👩‍👩‍👧‍👦", count: 300),
    ])
  func huge(text: String) {
    let error = #expect(throws: NotationError.self) { try AxisRegistry.standard.variant(text) }
    #expect((error?.description.count ?? .max) < 400)
  }

  @Test(
    "on a geometry that it does not fit",
    arguments: [
      ("gqa:5", "gqa:5: 32 query heads of wide cannot be split among 5 key/value heads"),
      ("gqa:64", "expected a divisor of 32"), ("gqa:999999999", "expected a divisor of 32"),
      ("mla:512+8x5", "32 query heads of wide cannot be split among 5 RoPE slices"),
      ("mla:512+66x4", "expected P of at most the head width 64"),
      ("mla:65536+65536x65536", "cannot be split"),
      ("[mha*3]", "the list has 3 layers, wide has 16"),
      ("[mha*10000,mqa*7]", "the list has 10007 layers, wide has 16"),
    ])
  func onAGeometry(text: String, message: String) throws {
    let wide = ModelGeometry.attention("wide", layers: 16, queryHeads: 32, headWidth: 64)
    let variant = try AxisRegistry.standard.variant(text)
    let error = #expect(throws: NotationError.self) { try variant.layouts(for: wide) }
    #expect(error?.description.contains(message) ?? false, "\(error?.description ?? "")")
  }

  @Test("a RoPE width that a checkpoint's heads do not have")
  func ropeOfAnotherWidth() throws {
    let error = #expect(throws: NotationError.self) {
      try AxisRegistry.standard.layouts("mla:512+32", on: .deepSeek3)
    }
    #expect(
      error?.description
        == "mla:512+32: the heads of deepseek-v3 have a RoPE part of 64, not 32")
  }

  @Test("a geometry of sizes that no model has")
  func absurdGeometries() throws {
    let mha = try AxisRegistry.standard.variant("mha")
    for size in [Int.min, -1, 0, 1 << 40, Int.max] {
      for path in [
        \ModelGeometry.layers, \ModelGeometry.queryHeads, \ModelGeometry.headWidth,
      ] {
        var geometry = ModelGeometry.small
        geometry[keyPath: path] = size
        #expect(throws: NotationError.self) { try mha.layouts(for: geometry) }
      }
    }
    var largest = ModelGeometry.small
    (largest.layers, largest.queryHeads, largest.headWidth) = (10_000, 4_096, 65_536)
    #expect(throws: NotationError.self) { try mha.layouts(for: largest) }
  }

  @Test("the largest numbers that read still give bytes that an Int holds")
  func noOverflow() throws {
    let wide = ModelGeometry.attention("wide", layers: 126, queryHeads: 128, headWidth: 128)
    for text in [
      "mla:65536+65536@f32", "mha/swa:999999999/sink:999999999@f32",
      "mha/hybrid:999999999:999999999:999999999/cla:999999999", "gqa:1/cla:999999999",
    ] {
      let layouts = try AxisRegistry.standard.layouts(text, on: wide)
      for context in [0, 1, 1 << 30] {
        #expect(layouts.reduce(0) { $0 + $1.idealBytes(context: context) } >= 0)
        #expect(layouts.reduce(0) { $0 + $1.attendFLOPs(context: context) } >= 0)
      }
      for storage in [CacheStorage.contiguous, .ring, .paged(pageTokens: 16)] {
        for capacity in [1, 1 << 30, Int.max] {
          let plan = CachePlan(
            storage: storage, sequences: 1 << 20, capacity: capacity, maxChunk: capacity)
          #expect(CacheFootprint(layouts: layouts, plan: plan).totalBytes > 0)
          guard capacity == Int.max else { continue }
          #expect(throws: CacheError.self) { try KVCache(layouts: layouts, plan: plan) }
        }
      }
    }
  }
}
