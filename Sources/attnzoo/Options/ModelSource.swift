import Foundation
import ZooHarness
import ZooMemory
import ZooModels

/// A model that a command reads layer by layer: the embedded one, or a checkpoint folder.
struct ModelSource {
  /// As the command line named it.
  let path: String
  let folder: CheckpointFolder
  let layers: CheckpointLayers

  /// - Throws: `CheckpointError`, `NotationError`.
  init(_ path: String, pool: WorkerPool) throws {
    self.path = path
    let isEmbedded = path == EmbeddedModel.name
    folder = try CheckpointFolder(path: isEmbedded ? try EmbeddedModel.requireFolder() : path)
    let name =
      isEmbedded ? path : URL(fileURLWithPath: path).standardizedFileURL.lastPathComponent
    layers = try CheckpointLayers(folder: folder, name: name, format: nil, pool: pool)
  }

  /// The text or the ids of a file, or the embedded model's text; nil where there is none.
  /// - Throws: `CheckpointError`.
  func tokens(
    text: String?, tokens: String?
  ) throws -> (name: String, ids: [Int32], byteCounts: [Int32]?)? {
    let vocabulary = layers.geometry.vocabulary
    let source: TokenSource
    if let text {
      source = try TokenSource(
        textFile: text,
        tokenizer: try FolderTokenizer.required(folder: folder.path, vocabulary: vocabulary))
    } else if let tokens {
      source = try TokenSource(
        tokenFile: tokens,
        tokenizer: try FolderTokenizer.optional(folder: folder.path, vocabulary: vocabulary))
    } else if path == EmbeddedModel.name {
      let ids = try EmbeddedModel.evaluationText()
      return ("the embedded model's held-out text", ids, ids.map { _ in 1 })
    } else {
      return nil
    }
    try source.check(vocabulary: vocabulary)
    return (source.path, source.ids.map { Int32($0) }, source.byteCounts)
  }

  /// The files of the model's tokenizer, to go with its weights.
  /// - Throws: `CheckpointError`.
  func tokenizerFiles() throws -> [(name: String, contents: [UInt8])] {
    let known = [
      "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.json",
      "merges.txt", "chat_template.jinja", "generation_config.json",
    ]
    return try known.compactMap { name in
      let file = folder.path + "/" + name
      guard FileManager.default.fileExists(atPath: file) else { return nil }
      guard let contents = FileManager.default.contents(atPath: file) else {
        throw CheckpointError(
          kind: .missing, file: file, place: "", found: "a file that cannot be read",
          expected: "the tokenizer's file")
      }
      return (name, Array(contents))
    }
  }
}
