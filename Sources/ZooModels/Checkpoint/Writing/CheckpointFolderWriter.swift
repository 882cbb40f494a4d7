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
  private let source: SourceTensors?
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
  public convenience init(
    path: String, config: HFConfig, dtype: TensorDType,
    shardBytes: Int = CheckpointFolderWriter.defaultShardBytes
  ) throws(CheckpointError) {
    try self.init(path, config, dtype, shardBytes, source: nil)
  }

  /// Begins a folder at `path` for a variant of the checkpoint `source`. Tensors that the variant
  /// leaves alone are copied from there as they lie, whatever the architecture; what `config.json`
  /// says beyond ``HFConfig`` stays, too, where the architecture stays.
  ///
  /// - Parameter dtype: F32, F16 or BF16; nil: every tensor that is copied keeps its own.
  /// - Throws: as ``init(path:config:dtype:shardBytes:)``, and where `config.json` of the source cannot
  ///   be read again.
  public convenience init(
    path: String, config: HFConfig, dtype: TensorDType? = nil,
    shardBytes: Int = CheckpointFolderWriter.defaultShardBytes, copying source: CheckpointFolder
  ) throws(CheckpointError) {
    if case .blockFP8? = source.config.quantisation {
      // A factor for each block would not fit rows that change: such weights are written decoded.
      try self.init(path, config, dtype ?? .bf16, shardBytes, source: nil)
      return
    }
    let tensors = try SourceTensors(source, dtype: dtype)
    try self.init(path, config, tensors.dtype, shardBytes, source: tensors)
  }

  private init(
    _ path: String, _ config: HFConfig, _ dtype: TensorDType, _ shardBytes: Int,
    source: SourceTensors?
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
    // Without the source's own bytes every weight is written as a plain float.
    if source == nil { config.quantisation = nil }
    self.config = config
    self.source = source
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
    if let source {
      for tensor in try source.layer(layer, tensors) { try shards.append(tensor) }
    } else {
      for tensor in try tensors.all(of: layer) { try shards.append(tensor) }
    }
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
    for tensor in try source?.others(config) ?? [] { try shards.append(tensor) }
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
    let text = source.map { $0.configText(for: config) } ?? config.json
    try OutputFile.write(text, to: folder.file(CheckpointFolder.configFileName))
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
    guard let source else { return try shards.append(tensor) }
    try shards.append(try source.copy(of: tensor, config: config))
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
