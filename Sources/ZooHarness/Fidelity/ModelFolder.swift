import AttentionCore
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooPlanner

/// A model by what a suite or a flag calls it: `embedded`, or the folder of a checkpoint.
public struct ModelFolder: Sendable, Hashable {
  /// As it was given.
  public let source: String

  /// A model by its source.
  public init(_ source: String) { self.source = source }

  private var isEmbedded: Bool { source == EmbeddedModel.name }

  /// What lists and rows call it.
  public var name: String {
    isEmbedded ? source : URL(fileURLWithPath: source).standardizedFileURL.lastPathComponent
  }

  /// The shape, without reading a weight; its own variant fits it.
  /// - Throws: `CheckpointError`.
  public func geometry() throws(CheckpointError) -> ModelGeometry {
    if isEmbedded { return .embedded }
    let file = source + "/" + CheckpointFolder.configFileName
    let config = try HFConfig(path: file)
    let geometry = ModelGeometry(config, name: name)
    _ = try config.ownLayouts(of: geometry, file: file)
    return geometry
  }

  /// What its weights have beyond a Llama's.
  /// - Throws: `CheckpointError`.
  public func traits() throws(CheckpointError) -> WeightTraits {
    if isEmbedded { return .llama }
    return WeightTraits(try HFConfig(path: source + "/" + CheckpointFolder.configFileName))
  }

  /// Reads the weights.
  /// - Throws: `CheckpointError`, `OutOfMemory`.
  public func load(format: WeightFormat?, pool: WorkerPool) throws -> DecoderModel {
    if isEmbedded { return try EmbeddedModel.load(format: format, pool: pool) }
    return try DecoderModel(
      checkpoint: try CheckpointFolder(path: source), name: name, format: format, pool: pool)
  }

  /// The tokens that end a text.
  /// - Throws: `CheckpointError`.
  public func endTokens() throws(CheckpointError) -> Set<Int> {
    if isEmbedded { return [] }
    return Set(try HFConfig(path: source + "/" + CheckpointFolder.configFileName).endTokenIDs)
  }

  /// The tokenizer of the folder; nil where it has none and is not byte-level.
  /// - Throws: `CheckpointError`.
  public func tokenizer(vocabulary: Int) throws(CheckpointError) -> (any Tokenizer)? {
    if isEmbedded { return ByteTokenizer() }
    return try FolderTokenizer.optional(folder: source, vocabulary: vocabulary)
  }

  /// The tokenizer of the folder.
  /// - Throws: `CheckpointError`, `missing` where it has none and is not byte-level.
  public func requiredTokenizer(vocabulary: Int) throws(CheckpointError) -> any Tokenizer {
    if isEmbedded { return ByteTokenizer() }
    return try FolderTokenizer.required(folder: source, vocabulary: vocabulary)
  }
}
