/// Scratch memory that grows when more is asked for than ever before and never shrinks, so that a
/// loop allocates only until its largest call.
public struct ScratchBuffer: Sendable {
  private var buffer: AlignedBuffer?

  /// An empty scratch; nothing is mapped.
  public init() {}

  /// Bytes mapped.
  public var mappedBytes: Int { buffer?.mappedBytes ?? 0 }

  /// Makes room for `count` elements; what was in it is lost when it grows.
  /// - Throws: `OutOfMemory` when the system refuses.
  @discardableResult
  public mutating func reserve<Element>(
    _ count: Int, of type: Element.Type = Element.self
  ) throws(OutOfMemory) -> UnsafeMutablePointer<Element> {
    let bytes = max(count, 1) * MemoryLayout<Element>.stride
    if let buffer, buffer.count >= bytes { return buffer.pointer(to: type) }
    buffer = nil
    let grown = try AlignedBuffer(count: bytes)
    buffer = grown
    return grown.pointer(to: type)
  }

  /// The memory reserved last.
  public func pointer<Element>(to type: Element.Type = Element.self) -> UnsafeMutablePointer<
    Element
  > {
    guard let buffer else { preconditionFailure("scratch is used before it is reserved") }
    return buffer.pointer(to: type)
  }
}
