import ZooMemory

/// Room for widened weights and packed rows, one region a worker, allocated once so that no product allocates.
///
/// One scratch serves any number of linear maps one after the other; two products at a time need
/// two.
public final class LinearScratch: @unchecked Sendable {
  /// Workers that have a region.
  public let threads: Int
  /// Elements of the widest operand that there is room for.
  public let maximumInputs: Int
  /// Elements of a worker's region.
  public let elementsPerWorker: Int
  private let buffer: AlignedBuffer

  /// Outputs of a map of the greatest width that are widened at a time.
  static let blockOutputs = 256

  /// Scratch for maps of up to `maximumInputs` inputs on a pool of `threads` workers:
  /// 1 KiB × `maximumInputs` bytes a worker.
  /// - Throws: `OutOfMemory` when the system refuses.
  public init(maximumInputs: Int, threads: Int) throws(OutOfMemory) {
    precondition(maximumInputs > 0 && threads > 0)
    self.threads = threads
    self.maximumInputs = maximumInputs
    elementsPerWorker = Self.blockOutputs * ((maximumInputs + 15) / 16 * 16)
    buffer = try AlignedBuffer(count: threads * elementsPerWorker * 4)
  }

  /// Bytes mapped.
  public var byteCount: Int { buffer.mappedBytes }

  func region(of worker: Int) -> UnsafeMutablePointer<Float> {
    buffer.pointer(to: Float.self) + worker * elementsPerWorker
  }
}
