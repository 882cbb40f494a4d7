import Foundation

/// The tokenizer of a model folder.
public enum FolderTokenizer {
  /// The folder's `tokenizer.json`, or bytes where it has none and the model has 256 tokens.
  ///
  /// - Returns: nil where it has neither.
  /// - Throws: `CheckpointError` for a `tokenizer.json` that cannot be used.
  public static func optional(
    folder: String, vocabulary: Int
  ) throws(CheckpointError) -> (any Tokenizer)? {
    let path = folder + "/" + BytePairTokenizer.fileName
    if FileManager.default.fileExists(atPath: path) { return try BytePairTokenizer(path: path) }
    return vocabulary == ByteTokenizer().vocabularySize ? ByteTokenizer() : nil
  }

  /// The folder's `tokenizer.json`, or bytes where it has none and the model has 256 tokens.
  ///
  /// - Throws: `CheckpointError`: `missing` where it has neither; otherwise as
  ///   ``optional(folder:vocabulary:)``.
  public static func required(
    folder: String, vocabulary: Int
  ) throws(CheckpointError) -> any Tokenizer {
    if let tokenizer = try optional(folder: folder, vocabulary: vocabulary) { return tokenizer }
    throw CheckpointError(
      kind: .missing, file: folder + "/" + BytePairTokenizer.fileName, place: "",
      found: "no such file",
      expected: "a tokenizer for the vocabulary of \(vocabulary), or token ids instead of a text")
  }
}
