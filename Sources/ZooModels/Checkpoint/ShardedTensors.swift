import Foundation

/// The tensors of a Hugging Face folder: one `model.safetensors`, or the shards that
/// `model.safetensors.index.json` names.
public struct ShardedTensors: TensorSource {
  /// The folder as the caller gave it.
  public let folder: String
  /// The names of all tensors, sorted.
  public let names: [String]
  /// The files that hold them, sorted by path.
  public let shards: [Safetensors]
  /// The place in `shards` of each tensor's file.
  private let places: [String: Int]
  /// The file that lists the tensors: the index, or the only file.
  private let listing: String

  /// The name of an unsharded file.
  public static let singleFileName = "model.safetensors"
  /// The name of the index of a sharded checkpoint.
  public static let indexFileName = "model.safetensors.index.json"

  /// Opens every file of the checkpoint in `folder` and checks its header.
  ///
  /// - Throws: `CheckpointError` of kind `missing` where the folder holds neither file, `malformed` for
  ///   a broken index, a shard that it names and the folder lacks (the download is incomplete), or a
  ///   tensor that is not in the shard that the index names.
  public init(folder: String) throws(CheckpointError) {
    self.folder = folder
    let single = folder + "/" + Self.singleFileName
    let index = folder + "/" + Self.indexFileName
    if FileManager.default.fileExists(atPath: single) {
      let file = try Safetensors(path: single)
      shards = [file]
      names = file.names.sorted()
      places = Dictionary(uniqueKeysWithValues: file.names.map { ($0, 0) })
      listing = single
    } else if FileManager.default.fileExists(atPath: index) {
      let weightMap = try Self.weightMap(index)
      let fileNames = Set(weightMap.values).sorted()
      let shards = try Self.open(fileNames, folder: folder, index: index)
      let order = Dictionary(uniqueKeysWithValues: fileNames.enumerated().map { ($1, $0) })
      names = weightMap.keys.sorted()
      places = weightMap.compactMapValues { order[$0] }
      for name in names {
        guard let place = places[name], shards[place].contains(name) else {
          throw Self.malformed(
            index, SafetensorsHeader.tensorPlace(name),
            found: "file \(CheckpointError.quoted(weightMap[name] ?? "")) without it",
            expected: "the file that holds it")
        }
      }
      self.shards = shards
      listing = index
    } else {
      let other = ["pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"]
        .first { FileManager.default.fileExists(atPath: folder + "/" + $0) }
      throw CheckpointError(
        kind: .missing, file: folder, place: "", found: other ?? "no weights",
        expected: "\(Self.singleFileName) or \(Self.indexFileName)")
    }
  }

  /// Whether the checkpoint holds a tensor called `name`.
  public func contains(_ name: String) -> Bool { places[name] != nil }

  /// The tensor called `name`, from whichever file holds it.
  ///
  /// - Throws: `CheckpointError` where none does.
  public func tensor(named name: String) throws(CheckpointError) -> TensorView {
    guard let place = places[name] else {
      throw Self.malformed(
        listing, SafetensorsHeader.tensorPlace(name), found: "no such tensor among \(names.count)",
        expected: "one of this name")
    }
    return try shards[place].tensor(named: name)
  }

  /// Reads the index at `path`: the file name of each tensor.
  private static func weightMap(_ path: String) throws(CheckpointError) -> [String: String] {
    let storage = try MappedFile(path: path)
    let root = try storage.withBytes { bytes throws(CheckpointError) in
      try JSONParser.parse(bytes, file: path, place: "")
    }
    guard case .object(let members) = root else {
      throw malformed(path, "", found: root.summary, expected: "an object")
    }
    guard case .object(let entries)? = members["weight_map"] else {
      throw malformed(
        path, "key \"weight_map\"", found: members["weight_map"]?.summary ?? "nothing",
        expected: "an object from tensor to file")
    }
    guard !entries.isEmpty else {
      throw malformed(path, "key \"weight_map\"", found: "no tensor", expected: "at least one")
    }
    var result: [String: String] = [:]
    for (name, value) in entries.sorted(by: { $0.key < $1.key }) {
      // A shard lies in the folder itself: a name that leads out of it is hostile.
      guard case .string(let file) = value, !file.isEmpty, !file.hasPrefix("."),
        !file.contains("/"), !file.contains("\\"), !file.unicodeScalars.contains("\0")
      else {
        throw malformed(
          path, SafetensorsHeader.tensorPlace(name), found: value.summary,
          expected: "the name of a file in the same folder")
      }
      result[name] = file
    }
    return result
  }

  private static func open(
    _ fileNames: [String], folder: String, index: String
  ) throws(CheckpointError) -> [Safetensors] {
    let missing = fileNames.filter { !FileManager.default.fileExists(atPath: folder + "/" + $0) }
    if let first = missing.first {
      throw malformed(
        index, "key \"weight_map\"",
        found: "shard \(CheckpointError.quoted(first)) that is not there"
          + (missing.count > 1 ? " (and \(missing.count - 1) more)" : ""),
        expected: "all \(fileNames.count) shards in the folder")
    }
    var shards: [Safetensors] = []
    for name in fileNames { shards.append(try Safetensors(path: folder + "/" + name)) }
    return shards
  }

  private static func malformed(
    _ file: String, _ place: String, found: String, expected: String
  ) -> CheckpointError {
    CheckpointError(kind: .malformed, file: file, place: place, found: found, expected: expected)
  }
}
