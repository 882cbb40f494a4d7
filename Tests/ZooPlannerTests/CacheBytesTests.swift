import AttentionCore
import Testing
import ZooModels
import ZooPlanner

@Suite("KV bytes, against published numbers")
struct CacheBytesTests {
  // DeepSeek-V3, Qwen2.5-72B and Llama-3.1-405B: table 1 of arXiv 2505.09343, in decimal KB. The
  // others follow from the published configuration in 2-byte elements.
  @Test(
    "bytes a token inside every window",
    arguments: [
      ("llama-2-7b", 524_288), ("llama-3.2-1b", 32_768), ("llama-3.1-8b", 131_072),
      ("mistral-7b-v0.1", 131_072), ("mistral-7b-v0.3", 131_072), ("llama-3.1-70b", 327_680),
      ("qwen2.5-72b", 327_680), ("llama-3.1-405b", 516_096), ("qwen2.5-7b", 57_344),
      ("deepseek-v2", 69_120), ("deepseek-v3", 70_272), ("gemma-3-27b", 507_904),
      ("gpt-oss-120b", 73_728),
    ])
  func bytesPerToken(name: String, bytes: Int) throws {
    #expect(try cachePlan(name).idealBytesPerToken == bytes)
  }

  @Test(
    "past the windows only global layers grow",
    arguments: [
      ("gemma-3-27b", 81_920), ("gpt-oss-120b", 36_864), ("mistral-7b-v0.1", 0),
      ("llama-3.1-8b", 131_072),
    ])
  func bytesPastWindows(name: String, bytes: Int) throws {
    let plan = try cachePlan(name)
    #expect(plan.idealBytesPerTokenPastWindows == bytes)
    let grown = try plan.idealBytes(context: 20_001) - plan.idealBytes(context: 20_000)
    #expect(grown == bytes)
  }

  @Test("Gemma-3-27B has 52 window layers and 10 global ones, Gemma-3-1B 22 and 4")
  func windowLayers() throws {
    for (name, windows, globals) in [
      ("gemma-3-27b", 52, 10), ("gemma-3-12b", 40, 8), ("gemma-3-4b", 29, 5), ("gemma-3-1b", 22, 4),
      ("gpt-oss-20b", 12, 12),
    ] {
      let layouts = try cachePlan(name).layouts
      #expect(layouts.filter { $0.reach.window != nil }.count == windows)
      #expect(layouts.filter { $0.reach.window == nil }.count == globals)
    }
    #expect(try cachePlan("gpt-oss-20b").layouts[0].reach.window == 128)
    #expect(try cachePlan("hunyuan-large").layouts.filter(\.ownsRows).count == 32)
  }

  @Test("a hybrid's bytes at a context are its windows and its global rows")
  func hybridContext() throws {
    let plan = try cachePlan("gemma-3-27b")
    let row = 2 * 16 * 128 * 2
    #expect(try plan.idealBytes(context: 32_768) == row * (52 * 1_024 + 10 * 32_768))
    #expect(try plan.idealBytes(context: 100) == row * 62 * 100)
    #expect(try plan.idealBytes(context: 0) == 0)
    #expect(
      try plan.idealBytes(contexts: [100, 0, 32_768])
        == plan.idealBytes(context: 100) + plan.idealBytes(context: 32_768))
  }

  // llama.cpp's log for DeepSeek-V3 at 32,768 tokens, f16 (ggml-org/llama.cpp pull request 11446).
  @Test("DeepSeek-V3 at 32,768 tokens: 244 MiB of RoPE keys and 1,952 MiB of latents")
  func deepSeekParts() throws {
    let parts = try RowParts(cachePlan("deepseek-v3"), context: 32_768)
    #expect(parts.ropeBytes == 244 << 20)
    #expect(parts.latentBytes == 1_952 << 20)
    #expect(parts.keyBytes + parts.valueBytes == 0)
    #expect(try cachePlan("deepseek-v3").idealBytes(context: 32_768) == 2_196 << 20)
  }

  @Test("parts follow a pair of codecs and add up to the whole")
  func mixedParts() throws {
    let plan = try cachePlan("deepseek-v3", "mla:512+64@f16:f32")
    let parts = try RowParts(plan, context: 10)
    #expect(parts.latentBytes == 61 * 512 * 2 * 10)
    #expect(parts.ropeBytes == 61 * 64 * 4 * 10)
    let grouped = try cachePlan("llama-3.2-1b", "gqa:8/hybrid:5:1:4@f32:f16")
    let keys = try RowParts(grouped, context: 64)
    #expect(keys.keyBytes == 2 * keys.valueBytes)
    #expect(try keys.keyBytes + keys.valueBytes == grouped.idealBytes(context: 64))
  }

  @Test("the ladder of DeepSeek-V3: expanded, latent and a copy, latent only")
  func ladder() throws {
    let ladder = try #require(try LatentLadder(cachePlan("deepseek-v3")))
    #expect(ladder.expanded.idealBytesPerToken == 4_997_120)
    #expect(ladder.latentWithValueCopy.idealBytesPerToken == 132_736)
    #expect(ladder.latent.idealBytesPerToken == 70_272)
    #expect(try LatentLadder(cachePlan("llama-3.2-1b")) == nil)
  }

  // CLA, arXiv 2405.12981: 1B models of 20 layers and 16 heads of 128.
  @Test(
    "CLA's 1B models",
    arguments: [("mha", 163_840), ("gqa:4", 40_960), ("mqa", 10_240), ("mqa/cla:2", 5_120)])
  func crossLayer(notation: String, bytes: Int) throws {
    let geometry = ModelGeometry(
      name: "cla-1b", layers: 20, hidden: 2_048, queryHeads: 16, keyValueHeads: 16,
      headWidth: 128, mlpWidth: 5_472, vocabulary: 32_000, tiedEmbeddings: false,
      maxPositions: 2_048)
    let plan = try KVPlan(geometry: geometry, variant: variant(notation))
    #expect(plan.idealBytesPerToken == bytes)
  }

  @Test("sharing layers lowers bytes stored and not bytes read")
  func sharedReads() throws {
    let own = try cachePlan("llama-3.2-1b", "gqa:8")
    let shared = try cachePlan("llama-3.2-1b", "gqa:8/cla:2")
    #expect(try shared.idealBytes(context: 500) * 2 == own.idealBytes(context: 500))
    #expect(
      try shared.readBytesPerStep(context: 500) == own.readBytesPerStep(context: 500))
  }

  // MHA2MLA, arXiv 2502.14837: 1 − (d_r + d_kv) / (2·d_h), d_r = 8, d_kv = 32, 16, 8, d_h = 64.
  @Test(
    "MHA2MLA removes 68.75 %, 81.25 % and 87.5 %",
    arguments: [("mla:1024+8x32", 0.6875), ("mla:512+8x32", 0.8125), ("mla:256+8x32", 0.875)])
  func multiHeadToLatent(notation: String, removed: Double) throws {
    let own = try cachePlan("smollm2-1.7b").idealBytesPerToken
    let latent = try cachePlan("smollm2-1.7b", notation).idealBytesPerToken
    #expect(1 - Double(latent) / Double(own) == removed)
  }

  // TransMLA, arXiv 2502.07864.
  @Test("TransMLA at 512+64 removes 92.97 % of Llama-2-7B and keeps 28.125 % of Llama-3-8B")
  func transMLA() throws {
    let llama2 = try cachePlan("llama-2-7b", "mla:512+64").idealBytesPerToken
    #expect(abs(1 - Double(llama2) / 524_288 - 0.9297) < 0.00005)
    let llama3 = try cachePlan("llama-3.1-8b", "mla:512+64").idealBytesPerToken
    #expect(Double(llama3) / 131_072 == 0.28125)
  }

  @Test("what a cache allocates is what its footprint says, over every storage")
  func footprintOfRealCache() throws {
    for notation in ["mha", "gqa:2/hybrid:2:1:8", "mla:16+8/cla:2", "mqa/swa:16/sink:4"] {
      for storage in [CacheStorage.contiguous, .ring, .paged(pageTokens: 16)] {
        let plan = try cachePlan("tiny", notation)
        let request = CachePlan(storage: storage, sequences: 2, capacity: 100, maxChunk: 5)
        let footprint = try plan.footprint(request)
        let cache = try KVCache(layouts: plan.layouts, plan: request)
        for _ in 0..<2 { try cache.extend(try cache.addSequence(), by: 5) }
        #expect(cache.metadataBytes == footprint.metadataBytes)
        #expect(cache.allocatedBytes == footprint.rowBytes)
      }
    }
  }
}
