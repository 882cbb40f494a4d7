/// Tensors one after another into one `model.safetensors`, or into shards with an index once they
/// outgrow one.
final class ShardSequence {
  private let folder: OutputFolder
  private let dtype: TensorDType
  private let shardBytes: Int
  private let headerBytes: Int
  private var current: StreamedSafetensors?
  /// The tensors of each shard that has been begun.
  private var names: [[String]] = []
  private var written: Set<String> = []
  private var totalBytes = 0

  /// - Parameters:
  ///   - dtype: of tensors that ask for none.
  ///   - shardBytes: most bytes of data in a shard; a larger tensor has one to itself.
  ///   - headerBytes: room for the header of a shard.
  init(folder: OutputFolder, dtype: TensorDType, shardBytes: Int, headerBytes: Int) {
    self.folder = folder
    self.dtype = dtype
    self.shardBytes = shardBytes
    self.headerBytes = headerBytes
  }

  private static func temporaryName(_ index: Int) -> String { "shard-\(index).safetensors" }

  /// Writes one tensor.
  ///
  /// - Throws: `CheckpointError` of kind `misuse` for a name that is taken or a shape without size;
  ///   otherwise as ``StreamedSafetensors/append(_:dtype:bytes:place:)``.
  func append(_ tensor: OutputTensor) throws(CheckpointError) {
    let place = SafetensorsHeader.tensorPlace(tensor.name)
    guard written.insert(tensor.name).inserted else {
      throw CheckpointError(
        kind: .misuse, file: folder.path, place: place, found: "a name that is taken",
        expected: "each tensor once")
    }
    let dtype = tensor.dtype ?? self.dtype
    guard let bytes = dtype.byteCount(shape: tensor.shape)?.bytes else {
      throw CheckpointError(
        kind: .misuse, file: folder.path, place: place, found: "shape \(tensor.shape)",
        expected: "a size below 2^63 bytes")
    }
    if let shard = current,
      shard.dataBytes + bytes > shardBytes
        || !shard.hasRoom(for: tensor, dtype: dtype, bytes: bytes)
    {
      try close(shard)
    }
    let shard: StreamedSafetensors
    if let current {
      shard = current
    } else {
      shard = try StreamedSafetensors(
        path: folder.file(Self.temporaryName(names.count)),
        headerBytes: max(headerBytes, tensor.name.utf8.count * 6 + 512))
      current = shard
    }
    try shard.append(tensor, dtype: dtype, bytes: bytes, place: folder.path)
    totalBytes += bytes
  }

  private func close(_ shard: StreamedSafetensors) throws(CheckpointError) {
    try shard.finish()
    names.append(shard.names)
    current = nil
  }

  /// Ends the last shard, names them all, and writes the index where there are several.
  func finish() throws(CheckpointError) {
    if let current { try close(current) }
    if names.count == 1 {
      return try folder.rename(Self.temporaryName(0), to: ShardedTensors.singleFileName)
    }
    func digits(_ number: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
    var map: [String: JSONValue] = [:]
    for (index, tensors) in names.enumerated() {
      let name = "model-\(digits(index + 1))-of-\(digits(names.count)).safetensors"
      try folder.rename(Self.temporaryName(index), to: name)
      for tensor in tensors { map[tensor] = .string(name) }
    }
    let index = JSONValue.object([
      "metadata": .object(["total_size": .integer(totalBytes)]), "weight_map": .object(map),
    ])
    try OutputFile.write(
      index.text(indented: true) + "\n", to: folder.file(ShardedTensors.indexFileName))
  }
}
