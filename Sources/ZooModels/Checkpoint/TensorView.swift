/// One tensor of a memory-mapped file: its name, element type, shape and bytes. A view keeps the
/// mapping alive, so that it may outlive the ``Safetensors`` that it came from.
public struct TensorView: Sendable {
  /// The tensor's name.
  public let name: String
  /// The type of its elements.
  public let dtype: TensorDType
  /// Its extents, the slowest first; row-major. Empty for a scalar.
  public let shape: [Int]
  /// The product of the extents.
  public let elementCount: Int
  private let storage: MappedFile
  private let range: Range<Int>

  init(_ entry: SafetensorsHeader.Entry, storage: MappedFile) {
    name = entry.name
    dtype = entry.dtype
    shape = entry.shape
    elementCount = entry.elementCount
    range = entry.bytes
    self.storage = storage
  }

  /// The path of the file that holds the tensor.
  public var file: String { storage.path }

  /// The bytes that the tensor takes in the file.
  public var byteCount: Int { range.count }

  /// Its bytes, little-endian and of any alignment (use `loadUnaligned`). They are valid while this
  /// view, another one of the same file, or the file object lives; ``withUnsafeBytes(_:)`` sees to it.
  public var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: storage.bytes[range])
  }

  /// Calls `body` with the tensor's bytes, which are valid during the call.
  public func withUnsafeBytes<Result, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(bytes)
  }

  /// Gives the tensor's pages back to the system after a copy has been made, so that they no longer
  /// count in this process's resident memory. Touching the tensor again reads the file again.
  public func releasePages() { storage.releasePages(range) }

  /// An error about this tensor.
  func error(
    kind: CheckpointError.Kind = .malformed, found: String, expected: String
  ) -> CheckpointError {
    CheckpointError(
      kind: kind, file: file, place: SafetensorsHeader.tensorPlace(name), found: found,
      expected: expected)
  }
}
