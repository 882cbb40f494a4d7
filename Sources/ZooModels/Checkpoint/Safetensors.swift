/// A safetensors file, memory-mapped and checked in full when opened: no later access can meet a
/// range outside the file. Opening reads the header only; tensors are read when touched.
public final class Safetensors: TensorSource {
  /// The path as the caller gave it.
  public let path: String
  /// The free text pairs of the header.
  public let metadata: [String: String]
  /// The names of the tensors, in the order of their bytes.
  public let names: [String]
  private let views: [String: TensorView]

  /// Opens the file at `path`.
  ///
  /// - Throws: `CheckpointError` of kind `missing` where the file cannot be opened, `malformed` where
  ///   its header breaks the format or does not fit the file's length.
  public init(path: String) throws(CheckpointError) {
    let storage = try MappedFile(path: path)
    let header = try storage.withBytes { bytes throws(CheckpointError) in
      try SafetensorsHeader(bytes: bytes, file: path)
    }
    var views: [String: TensorView] = [:]
    views.reserveCapacity(header.entries.count)
    for entry in header.entries { views[entry.name] = TensorView(entry, storage: storage) }
    self.path = path
    self.views = views
    metadata = header.metadata
    names = header.entries.map(\.name)
  }

  /// Whether the file holds a tensor called `name`.
  public func contains(_ name: String) -> Bool { views[name] != nil }

  /// The tensor called `name`.
  ///
  /// - Throws: `CheckpointError` where the file holds none.
  public func tensor(named name: String) throws(CheckpointError) -> TensorView {
    guard let view = views[name] else {
      throw CheckpointError(
        kind: .malformed, file: path, place: SafetensorsHeader.tensorPlace(name),
        found: "no such tensor among \(names.count)", expected: "one of this name")
    }
    return view
  }
}
