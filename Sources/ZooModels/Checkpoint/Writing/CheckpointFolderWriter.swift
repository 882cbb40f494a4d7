import AttentionZoo
import ZooLinearAlgebra

/// Writes a Hugging Face folder tensor by tensor: into a folder beside the target, which gets the
/// target's name on ``finish()``. Until then nothing is at the target, and a writer that is let go
/// without it leaves nothing behind. At most one tensor is held at a time.
///
/// ```swift
/// let writer = try CheckpointFolderWriter(path: "converted", config: config, dtype: .bf16)
/// try writer.write(embedding: model.embedding())
/// for index in 0..<config.layerCount { try writer.write(layer: model.layer(index), index: index) }
/// try writer.write(finalNorm: model.finalNorm(), head: model.head())
/// try writer.finish()
/// ```
///
/// Shapes follow the configuration; a layer that the configuration's architecture cannot express is
/// refused by a `CheckpointError` of kind `unsupported` that names the layer and what would do.
public final class CheckpointFolderWriter {
  /// The final path.
  public var path: String { folder.path }
  /// What `config.json` will say.
  public private(set) var config: HFConfig
  private let folder: OutputFolder
  private let shards: ShardSequence
  private var parts: Set<Part> = []

  private enum Part: Hashable {
    case embedding
    case layer(Int)
    case ending
  }

  /// Bytes of a shard where nothing else is asked for.
  public static let defaultShardBytes = 5_000_000_000

  /// Begins a folder at `path`.
  ///
  /// - Parameters:
  ///   - config: what `config.json` says; its `dtype` becomes `dtype`'s.
  ///   - dtype: F32, F16 or BF16.
  ///   - shardBytes: most bytes of data in a weight file.
  /// - Throws: `CheckpointError` of kind `malformed` (exit code 65) where `path` exists and is not an
  ///   empty folder, `unsupported` for another element type, `cannotWrite` where nothing can be
  ///   created there.
  public init(
    path: String, config: HFConfig, dtype: TensorDType,
    shardBytes: Int = CheckpointFolderWriter.defaultShardBytes
  ) throws(CheckpointError) {
    guard let dtypeName = dtype.torchName else {
      throw CheckpointError(
        kind: .unsupported, file: path, place: "", found: "writing \(dtype.rawValue)",
        expected: "F32, F16 or BF16")
    }
    if config.architecture == .deepseekV3, config.hasAttentionBias, dtype == .f16 {
      throw CheckpointError(
        kind: .unsupported, file: path, place: "",
        found: "F16 for latent attention with a constant channel, which is out of its range",
        expected: "BF16 or F32")
    }
    var config = config
    config.dtypeName = dtypeName
    self.config = config
    folder = try OutputFolder(path: path)
    // About 24 tensors a layer of about 140 bytes each; what does not fit begins another shard.
    shards = ShardSequence(
      folder: folder, dtype: dtype, shardBytes: max(1, shardBytes),
      headerBytes: min((config.layerCount * 24 + 8) * 140, 1 << 18))
  }

  /// Writes the token embedding, [V × D].
  public func write(embedding: WeightMatrix) throws(CheckpointError) {
    try begin(.embedding, "the embedding")
    try append(
      OutputTensor(LlamaTensorNames.embedding, embedding),
      shape: [config.vocabularySize, config.hiddenSize])
  }

  /// Writes a layer. Layers may come in any order.
  ///
  /// Latent attention whose latents are not normalised gets the constant channel that keeps the
  /// stock norm from changing it (see ``StockLatentAttention``).
  public func write(layer: DecoderLayer, index: Int) throws {
    try begin(.layer(index), "layer \(index)")
    guard (0..<config.layerCount).contains(index) else {
      throw CheckpointError(
        kind: .misuse, file: path, place: "layer \(index)", found: "a layer too many",
        expected: "layers 0 to \(config.layerCount - 1)")
    }
    let tensors = LayerTensors(config: config, file: path, index: index)
    for tensor in try tensors.all(of: layer) { try shards.append(tensor) }
    config.native?.note(layer.attention, layer: index)
  }

  /// Writes the gain of the last norm, [D], and the output head, [V × D]; nil where it is the
  /// embedding.
  public func write(finalNorm: [Float], head: Linear?) throws(CheckpointError) {
    try begin(.ending, "the final norm")
    try append(OutputTensor(LlamaTensorNames.finalNorm, finalNorm), shape: [config.hiddenSize])
    guard (head == nil) == config.tiesEmbeddings else {
      throw CheckpointError(
        kind: .misuse, file: path, place: "tensor \"\(LlamaTensorNames.head)\"",
        found: head == nil ? "no head" : "a head",
        expected: config.tiesEmbeddings ? "none, as it is the embedding" : "one")
    }
    if let head {
      try append(
        OutputTensor(LlamaTensorNames.head, head.weight),
        shape: [config.vocabularySize, config.hiddenSize])
    }
  }

  /// Adds a file, for example of the tokenizer.
  ///
  /// - Throws: `CheckpointError` of kind `misuse` for a name that leads out of the folder or that the
  ///   writer uses itself.
  public func add(file name: String, contents: [UInt8]) throws(CheckpointError) {
    guard !name.isEmpty, !name.hasPrefix("."), !name.contains("/"),
      name != CheckpointFolder.configFileName, !name.hasSuffix(".safetensors"),
      name != ShardedTensors.indexFileName
    else {
      throw CheckpointError(
        kind: .misuse, file: path, place: "file \(CheckpointError.quoted(name))",
        found: "a name that is taken or leads elsewhere", expected: "another name")
    }
    let file = try OutputFile(path: folder.file(name))
    try file.write(contents, at: 0)
    try file.commit()
  }

  /// Ends the folder and gives it its name.
  ///
  /// - Throws: `CheckpointError` of kind `misuse` where a part is missing, `malformed` where
  ///   something came to be at the path meanwhile, `cannotWrite` where the disk is full.
  public func finish() throws(CheckpointError) {
    let wanted: [Part] =
      [.embedding] + (0..<config.layerCount).map { .layer($0) } + [.ending]
    if let missing = wanted.first(where: { !parts.contains($0) }) {
      throw CheckpointError(
        kind: .misuse, file: path, place: "", found: "\(missing) left out",
        expected: "embedding, \(config.layerCount) layers, final norm")
    }
    try shards.finish()
    try config.write(to: folder.file(CheckpointFolder.configFileName))
    try folder.commit()
  }

  private func begin(_ part: Part, _ name: String) throws(CheckpointError) {
    guard parts.insert(part).inserted else {
      throw CheckpointError(
        kind: .misuse, file: path, place: name, found: "a second time", expected: "each part once")
    }
  }

  private func append(_ tensor: OutputTensor, shape: [Int]) throws(CheckpointError) {
    try tensor.require(shape: shape, file: path)
    try shards.append(tensor)
  }
}

extension OutputTensor {
  /// Refuses another shape than the configuration's.
  func require(shape wanted: [Int], file: String) throws(CheckpointError) {
    guard shape == wanted else {
      throw CheckpointError(
        kind: .misuse, file: file, place: SafetensorsHeader.tensorPlace(name),
        found: "shape \(shape)", expected: "\(wanted), as the configuration says")
    }
  }
}

extension TensorDType {
  /// What PyTorch calls the type, and `config.json` with it; nil for types that are not written.
  public var torchName: String? {
    switch self {
    case .f32: "float32"
    case .f16: "float16"
    case .bf16: "bfloat16"
    default: nil
    }
  }
}
