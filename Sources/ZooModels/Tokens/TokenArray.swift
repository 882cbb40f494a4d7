/// Token ids that another tool wrote: a one-dimensional array of integers.
///
/// - `.npy` (NumPy format 1.0 to 3.0) of `<i4`, `<i8`, `<u2` or `<u4`, in C order;
/// - `.safetensors` with one tensor of one dimension, of `I32`, `I64`, `U16` or `U32`.
enum TokenArray {
  /// The largest id accepted; larger ones are no tokens of any model.
  private static let largest = ConfigReader.largestID

  /// Reads the ids of the file at `path`, whichever of the two formats its first bytes tell.
  static func ids(path: String) throws(CheckpointError) -> [Int32] {
    let storage = try MappedFile(path: path)
    let isNumPy = storage.bytes.starts(with: NumPyHeader.magic)
    if isNumPy {
      return try storage.withBytes { bytes throws(CheckpointError) in
        let header = try NumPyHeader(bytes, file: path)
        return try ids(
          UnsafeRawBufferPointer(rebasing: bytes[header.dataStart...]), header.dtype, file: path,
          place: "")
      }
    }
    guard path.hasSuffix(".safetensors") else {
      throw CheckpointError(
        kind: .malformed, file: path, place: "",
        found: storage.count == 0 ? "an empty file" : "another kind of file",
        expected: "token ids as .npy, or as .safetensors of one tensor")
    }
    let file = try Safetensors(path: path)
    guard file.names.count == 1, let name = file.names.first else {
      throw CheckpointError(
        kind: .malformed, file: path, place: "", found: "\(file.names.count) tensors",
        expected: "one tensor of token ids")
    }
    let tensor = try file.tensor(named: name)
    let known: [TensorDType] = [.i32, .i64, .u16, .u32]
    guard known.contains(tensor.dtype), tensor.shape.count == 1 else {
      throw tensor.error(
        found: "\(tensor.dtype.rawValue) \(tensor.shape)",
        expected: "one dimension of I32, I64, U16 or U32")
    }
    return try tensor.withUnsafeBytes { bytes throws(CheckpointError) in
      try ids(
        bytes, tensor.dtype, file: path, place: SafetensorsHeader.tensorPlace(name) + ", ")
    }
  }

  private static func ids(
    _ bytes: UnsafeRawBufferPointer, _ dtype: TensorDType, file: String, place: String
  ) throws(CheckpointError) -> [Int32] {
    switch dtype {
    case .i32: try checked(bytes, Int32.self, file: file, place: place)
    case .i64: try checked(bytes, Int64.self, file: file, place: place)
    case .u16: try checked(bytes, UInt16.self, file: file, place: place)
    default: try checked(bytes, UInt32.self, file: file, place: place)
    }
  }

  private static func checked<Element: FixedWidthInteger & BitwiseCopyable>(
    _ bytes: UnsafeRawBufferPointer, _ type: Element.Type, file: String, place: String
  ) throws(CheckpointError) -> [Int32] {
    let width = MemoryLayout<Element>.size
    var result: [Int32] = []
    result.reserveCapacity(bytes.count / width)
    for offset in stride(from: 0, to: bytes.count, by: width) {
      let value = Element(
        littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Element.self))
      guard let id = Int32(exactly: value), id >= 0, Int(id) <= largest else {
        throw CheckpointError(
          kind: .malformed, file: file, place: "\(place)index \(offset / width)", found: "\(value)",
          expected: "a token id from 0 to \(largest)")
      }
      result.append(id)
    }
    return result
  }
}
