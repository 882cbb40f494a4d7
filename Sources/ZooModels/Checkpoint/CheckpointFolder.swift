import Foundation

/// A model folder in Hugging Face's layout: `config.json` and the weights, opened and checked.
///
/// ```swift
/// let checkpoint = try CheckpointFolder(path: "SmolLM2-135M")
/// let embedding = try checkpoint.floats(
///   named: LlamaTensorNames.embedding,
///   expectedShape: [checkpoint.config.vocabularySize, checkpoint.config.hiddenSize])
/// ```
public struct CheckpointFolder: TensorSource {
  /// The folder as the caller gave it.
  public let path: String
  /// What `config.json` says.
  public let config: HFConfig
  /// The weights.
  public let tensors: ShardedTensors

  /// The name of the configuration.
  public static let configFileName = "config.json"

  /// Opens the folder at `path`: reads the configuration and the headers of all weight files.
  ///
  /// - Throws: `CheckpointError` of kind `missing` where the folder, its configuration or its weights
  ///   are not there; otherwise as ``HFConfig/init(path:)`` and ``ShardedTensors/init(folder:)``.
  public init(path: String) throws(CheckpointError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw CheckpointError(
        kind: .missing, file: path, place: "", found: "no such folder", expected: "a model folder")
    }
    guard isFolder.boolValue else {
      throw CheckpointError(
        kind: .missing, file: path, place: "", found: "a file", expected: "a model folder")
    }
    self.path = path
    config = try HFConfig(path: path + "/" + Self.configFileName)
    tensors = try ShardedTensors(folder: path)
  }

  /// The names of all tensors, sorted.
  public var names: [String] { tensors.names }

  /// Whether the checkpoint holds a tensor called `name`.
  public func contains(_ name: String) -> Bool { tensors.contains(name) }

  /// The tensor called `name`.
  ///
  /// - Throws: `CheckpointError` where there is none.
  public func tensor(named name: String) throws(CheckpointError) -> TensorView {
    try tensors.tensor(named: name)
  }
}
