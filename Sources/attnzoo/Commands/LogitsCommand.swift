import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// `attnzoo logits`: the numbers themselves, to be compared with another engine's.
struct LogitsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logits",
    abstract: "Logits of a checkpoint for given token ids, as a safetensors file.",
    discussion: """
      The first tokens are read in one call, the others one by one through the cache, as a server \
      would. Weights and cache are float32 unless --weights and --codec say otherwise.

      Example:
        attnzoo logits ./my-checkpoint --tokens 1,15,27,3 --prefill 2 --out logits.safetensors
      """)

  @Argument(help: "The folder of a checkpoint.")
  var folder: String
  @Option(help: "Token ids, separated by commas.")
  var tokens: String
  @Option(help: "Tokens that are read in one call; all by default.")
  var prefill: Int?
  @Option(help: "The file to write: one tensor, logits, tokens × vocabulary.")
  var out: String
  @Option(help: "Codec of the cache.")
  var codec: String = "f32"
  @Option(help: "How weights are held: f32, f16, bf16 or int8.")
  var weights: WeightFormat = .float32
  @Option(help: "Threads that compute; all processors by default.")
  var threads: Int?

  func run() throws {
    let ids = try tokens.split(separator: ",").map { item in
      guard let id = Int32(item) else {
        throw UsageError("--tokens: \"\(item)\" is no token id; expected ids such as 1,15,27")
      }
      return id
    }
    guard !ids.isEmpty else {
      throw UsageError("--tokens: found no token id; expected ids such as 1,15,27")
    }
    let first = prefill ?? ids.count
    guard (1...ids.count).contains(first) else {
      throw UsageError("--prefill \(first): expected 1 to the number of tokens, \(ids.count)")
    }
    let pool = WorkerPool(threads: try ThreadCount.checked(threads))
    let model = try DecoderModel(
      checkpoint: try CheckpointFolder(path: folder),
      name: URL(fileURLWithPath: folder).lastPathComponent, format: weights, pool: pool)
    let stored = try AxisRegistry.standard.variant("mha@\(codec)")
    guard let pair = stored.uniform?.codec else { throw UsageError("--codec \(codec)") }
    let layouts = try model.variant.storing(pair).layouts(for: model.geometry)
    let cache = try KVCache(
      layouts: layouts,
      plan: CachePlan(
        storage: .contiguous, sequences: 1, capacity: ids.count, maxChunk: ids.count))
    let rows = try DecoderRunner(model: model, pool: pool)
      .logits(of: ids, prefill: first, cache: cache)
    let shape = [ids.count, model.geometry.vocabulary]
    let writer = try SafetensorsWriter(
      path: out, tensors: [TensorDeclaration(name: "logits", dtype: .f32, shape: shape)])
    try writer.append(rows, to: "logits")
    try writer.finish()
  }
}
