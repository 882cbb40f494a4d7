import AttentionCore
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// Tiny random checkpoints with logits of Hugging Face transformers 5.24.0 (PyTorch 2.15.0), made by
/// Benchmarks/Oracles/make_fixtures.py: a prefill of 11 tokens in one call and 64 steps of one token
/// through its cache, in float32.
struct TransformersFixture: CustomTestStringConvertible, Sendable {
  let name: String

  var testDescription: String { name }
  var path: String { Self.root + "/" + name }

  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../../Fixtures/Transformers").standardizedFileURL.path

  static let all: [TransformersFixture] =
    ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()
    .map { TransformersFixture(name: $0) }

  func folder() throws -> CheckpointFolder { try CheckpointFolder(path: path) }

  func model(
    format: WeightFormat? = .float32, pool: WorkerPool = WorkerPool(threads: 2)
  ) throws -> DecoderModel {
    try DecoderModel(checkpoint: try folder(), name: name, format: format, pool: pool)
  }

  /// The tokens, how many of them were read in one call, and transformers' logits, one row a token.
  func expected() throws -> (tokens: [Int32], prefill: Int, logits: [Float]) {
    let file = try Safetensors(path: path + "/expected.safetensors")
    func integers(_ name: String) throws -> [Int32] {
      try file.tensor(named: name).withUnsafeBytes { bytes in
        stride(from: 0, to: bytes.count, by: 8).map {
          Int32(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: $0, as: Int64.self))
        }
      }
    }
    return (
      try integers("tokens"), Int(try integers("prefill")[0]), try file.floats(named: "logits")
    )
  }
}

/// Logits of `tokens`, the first `prefill` in one call, the others `step` at a time, through a
/// float32 cache.
func logits(
  _ model: DecoderModel, _ tokens: [Int32], prefill: Int, step: Int = 1,
  storage: CacheStorage = .ring
) throws -> [Float] {
  let codec = try #require(AxisRegistry.standard.variant("mha@f32").uniform?.codec)
  let cache = try KVCache(
    layouts: try model.variant.storing(codec).layouts(for: model.geometry),
    plan: CachePlan(
      storage: storage, sequences: 1, capacity: tokens.count, maxChunk: max(prefill, step)))
  return try DecoderRunner(model: model, pool: WorkerPool(threads: 2))
    .logits(of: tokens, prefill: prefill, step: step, cache: cache)
}

func largestDifference(_ left: [Float], _ right: [Float]) -> Float {
  zip(left, right).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
