import AttentionCore
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A model continues a prompt")
struct GeneratorTests {
  private static let vocabulary = 40
  private let pool = WorkerPool(threads: 2)
  private let prompt: [Int32] = (0..<50).map { ($0 * 7 + 3) % 40 }

  private func model(_ notation: String = "gqa:2/swa:16/sink:4") throws -> DecoderModel {
    let geometry = ModelGeometry(
      name: "small", layers: 3, hidden: 48, queryHeads: 4, keyValueHeads: 4, headWidth: 16,
      mlpWidth: 64, vocabulary: Self.vocabulary, tiedEmbeddings: false, maxPositions: 128)
    return try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant(notation),
      format: .float32, seed: 5, pool: pool)
  }

  private func continuation(
    _ sampling: Sampling, notation: String = "gqa:2/swa:16/sink:4", maxChunk: Int = 64,
    storage: CacheStorage = .ring, count: Int = 40
  ) throws -> [Int32] {
    let generator = try Generator(
      runner: try DecoderRunner(model: try model(notation), pool: pool), capacity: 96,
      sampling: sampling, storage: storage, maxChunk: maxChunk)
    var tokens: [Int32] = []
    try generator.generate(prompt: prompt, count: count) {
      tokens.append($0)
      return true
    }
    return tokens
  }

  @Test("greedy and seeded continuations repeat, other seeds differ")
  func repeats() throws {
    for sampling in [
      Sampling.greedy, Sampling(temperature: 1, seed: 4),
      Sampling(temperature: 0.8, topK: 5, topP: 0.9, seed: 4),
    ] {
      let (first, second) = (try continuation(sampling), try continuation(sampling))
      #expect(first.count == 40 && first == second)
      #expect(first.allSatisfy { (0..<Int32(Self.vocabulary)).contains($0) })
    }
    #expect(
      try continuation(Sampling(temperature: 1, seed: 4))
        != continuation(Sampling(temperature: 1, seed: 5)))
  }

  @Test("drawing from one token is greedy, however that one is singled out")
  func single() throws {
    let greedy = try continuation(.greedy)
    for sampling in [
      Sampling(temperature: 1, topK: 1, seed: 1), Sampling(temperature: 1, topP: 1e-6, seed: 2),
      Sampling(temperature: 1e-6, seed: 3),
    ] {
      #expect(try continuation(sampling) == greedy)
    }
  }

  @Test("a draw comes from the k most likely, from the set that reaches p, and follows the odds")
  func odds() throws {
    let runner = try DecoderRunner(model: try model(), pool: pool)
    let cache = try KVCache(
      layouts: runner.model.layouts, plan: CachePlan(sequences: 1, capacity: 64, maxChunk: 64))
    let logits = try runner.prefill(prompt, sequence: try cache.addSequence(), cache: cache)
    let row = (0..<Self.vocabulary).map { Double(logits.row(0)[$0]) }
    let peak = row.max() ?? 0
    let weights = row.map { exp($0 - peak) }
    let total = weights.reduce(0, +)
    let order = row.indices.sorted { row[$0] > row[$1] }
    var reached = 0.0
    var nucleus: Set<Int32> = []
    for token in order {
      nucleus.insert(Int32(token))
      reached += weights[token] / total
      if reached >= 0.7 { break }
    }
    let draws = 300
    var counts = [Int](repeating: 0, count: Self.vocabulary)
    for seed in 0..<UInt64(draws) {
      func first(_ sampling: Sampling) throws -> Int32 {
        try #require(try continuation(sampling, count: 1).first)
      }
      counts[Int(try first(Sampling(temperature: 1, seed: seed)))] += 1
      if seed < 60 {
        let most = Set(order.prefix(3).map { Int32($0) })
        #expect(most.contains(try first(Sampling(temperature: 1, topK: 3, seed: seed))))
        #expect(nucleus.contains(try first(Sampling(temperature: 1, topP: 0.7, seed: seed))))
      }
    }
    for token in order.prefix(4) {
      let probability = weights[token] / total
      let deviation = (probability * (1 - probability) / Double(draws)).squareRoot()
      #expect(abs(Double(counts[token]) / Double(draws) - probability) < 5 * deviation)
    }
  }

  @Test(
    "a prompt read in chunks is a prompt read whole",
    arguments: ["mha", "gqa:2/swa:16/sink:4", "mla:24+8/cla:2"])
  func chunks(notation: String) throws {
    for storage in [CacheStorage.ring, .contiguous, .paged(pageTokens: 4)] {
      let whole = try prefilled(notation, maxChunk: 64, storage: storage)
      for maxChunk in [1, 7, 49] {
        let chunked = try prefilled(notation, maxChunk: maxChunk, storage: storage)
        #expect(zip(whole, chunked).allSatisfy { abs($0 - $1) < 5e-5 })
      }
    }
    let whole = try continuation(.greedy, notation: notation)
    #expect(try continuation(.greedy, notation: notation, maxChunk: 7) == whole)
  }

  private func prefilled(
    _ notation: String, maxChunk: Int, storage: CacheStorage
  ) throws -> [Float] {
    let variant = notation + "@f32"
    let runner = try DecoderRunner(model: try model(variant), pool: pool)
    let cache = try KVCache(
      layouts: runner.model.layouts,
      plan: CachePlan(storage: storage, sequences: 1, capacity: 96, maxChunk: maxChunk))
    let logits = try runner.prefill(prompt, sequence: try cache.addSequence(), cache: cache)
    return (0..<Self.vocabulary).map { logits.row(0)[$0] }
  }

  @Test("generation stops when told to, and past the cache's capacity says so")
  func ends() throws {
    let generator = try Generator(
      runner: try DecoderRunner(model: try model(), pool: pool), capacity: prompt.count + 3)
    var seen = 0
    try generator.generate(prompt: Array(prompt[..<10]), count: 20) { _ in
      seen += 1
      return seen < 5
    }
    #expect(seen == 5)
    let full = try Generator(
      runner: try DecoderRunner(model: try model(), pool: pool), capacity: prompt.count + 3)
    #expect(throws: CacheError.self) {
      try full.generate(prompt: prompt, count: 20) { _ in true }
    }
  }
}
