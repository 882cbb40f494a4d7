import AttentionCore
import Foundation
import ZooLinearAlgebra
import ZooMemory

/// The byte-level model that ships with the package: Llama format, multi-head attention, trained on
/// the sources of Python's standard library (see its model card).
public enum EmbeddedModel {
  /// The name in lists and result rows.
  public static let name = "embedded"

  /// The folder of the checkpoint, or nil where the package's resources are not installed.
  public static var folder: String? {
    let url = Bundle.module.url(forResource: "EmbeddedModel", withExtension: nil)
    guard let path = url?.path, FileManager.default.fileExists(atPath: path + "/config.json")
    else { return nil }
    return path
  }

  /// Loads the model.
  /// - Parameter format: how matrices are kept; float32 by default, exact from the stored bfloat16.
  /// - Throws: `CheckpointError`, `OutOfMemory`.
  public static func load(
    format: WeightFormat? = .float32, pool: WorkerPool
  ) throws -> DecoderModel {
    try DecoderModel(
      checkpoint: try CheckpointFolder(path: try requireFolder()), name: name, format: format,
      pool: pool)
  }

  /// The evaluation text: bytes of held-out files.
  /// - Throws: `CheckpointError` where it is missing or empty.
  public static func evaluationText() throws -> [Int32] {
    try TokenSource(textFile: try evaluationTextPath(), tokenizer: ByteTokenizer())
      .ids.map { Int32($0) }
  }

  /// The file of the evaluation text.
  /// - Throws: `CheckpointError` where the package's resources are not installed.
  public static func evaluationTextPath() throws -> String {
    try requireFolder() + "/heldout.txt"
  }

  /// The folder of the checkpoint.
  /// - Throws: `CheckpointError` where the package's resources are not installed.
  public static func requireFolder() throws -> String {
    guard let folder else {
      throw CheckpointError(
        kind: .missing, file: "EmbeddedModel", place: "", found: "no folder",
        expected: "the package's resources beside the program")
    }
    return folder
  }
}
