/// A safetensors file whose tensors are not known when it is begun: room for the header is left
/// before the data, and the header is written last, padded with spaces to that room, as the format
/// allows.
final class StreamedSafetensors {
  /// Bytes of data so far.
  private(set) var dataBytes = 0
  /// The tensors so far, in the order of their bytes.
  private(set) var names: [String] = []
  private let file: OutputFile
  private let room: Int
  private var header = "{\"__metadata__\":{\"format\":\"pt\"}"

  /// Begins a file at `path`, with room for a header of `headerBytes`.
  init(path: String, headerBytes: Int) throws(CheckpointError) {
    file = try OutputFile(path: path)
    room = (max(headerBytes, 64) + 7) / 8 * 8
  }

  private var dataStart: Int { SafetensorsHeader.prefixLength + room }

  private func entry(_ tensor: OutputTensor, _ dtype: TensorDType, bytes: Int) -> String {
    ",\(JSONValue.literal(tensor.name)):{\"dtype\":\"\(dtype.rawValue)\",\"shape\":["
      + tensor.shape.map { String($0) }.joined(separator: ",")
      + "],\"data_offsets\":[\(dataBytes),\(dataBytes + bytes)]}"
  }

  /// Whether the header has room for one more tensor, and its elements would be aligned.
  func hasRoom(for tensor: OutputTensor, dtype: TensorDType, bytes: Int) -> Bool {
    header.utf8.count + entry(tensor, dtype, bytes: bytes).utf8.count < room
      && dataBytes.isMultiple(of: dtype.byteWidth)
  }

  /// Appends a tensor of `bytes` bytes.
  ///
  /// - Parameters:
  ///   - dtype: its element type in the file.
  ///   - place: how errors call the file.
  /// - Throws: `CheckpointError` where an element is not finite or the disk does not take it.
  func append(
    _ tensor: OutputTensor, dtype: TensorDType, bytes: Int, place: String
  ) throws(CheckpointError) {
    header += entry(tensor, dtype, bytes: bytes)
    names.append(tensor.name)
    let start = dataStart + dataBytes
    var written = 0
    try tensor.encode(as: dtype, file: place) { portion throws(CheckpointError) in
      try file.write(portion, at: start + written)
      written += portion.count
    }
    precondition(written == bytes, "a tensor has the bytes of its shape")
    dataBytes += bytes
  }

  /// Writes the header and gives the file its name.
  func finish() throws(CheckpointError) {
    var text = Array((header + "}").utf8)
    text += Array(repeating: UInt8(ascii: " "), count: room - text.count)
    let length = (0..<SafetensorsHeader.prefixLength).map {
      UInt8(truncatingIfNeeded: text.count >> (8 * $0))
    }
    try file.write(length + text, at: 0)
    try file.commit()
  }
}
