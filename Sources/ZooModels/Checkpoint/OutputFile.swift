import Foundation

/// A file written beside its final path and renamed at the end, so that a reader sees the whole file
/// or none. Without ``commit()`` nothing remains.
final class OutputFile {
  /// The final path.
  let path: String
  private let temporaryPath: String
  private var descriptor: Int32

  /// Creates the temporary file.
  init(path: String) throws(CheckpointError) {
    self.path = path
    temporaryPath = path + ".partial-" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Self.failure(path) }
  }

  deinit {
    guard descriptor >= 0 else { return }
    close(descriptor)
    unlink(temporaryPath)
  }

  /// Writes `bytes` from byte `offset` of the file on.
  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(CheckpointError) {
    var written = 0
    while written < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset + written))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Self.failure(path) }
      written += count
    }
  }

  /// Writes `elements`, as they lie in memory, from byte `offset` of the file on.
  func write<Element: BitwiseCopyable>(
    _ elements: [Element], at offset: Int
  ) throws(CheckpointError) {
    try elements.withBuffer { buffer throws(CheckpointError) in
      try write(UnsafeRawBufferPointer(buffer), at: offset)
    }
  }

  /// Flushes the file to the disk and gives it its final name, replacing what was there.
  func commit() throws(CheckpointError) {
    guard fsync(descriptor) == 0, rename(temporaryPath, path) == 0 else {
      throw Self.failure(path)
    }
    close(descriptor)
    descriptor = -1
  }

  /// Writes a whole text file.
  static func write(_ text: String, to path: String) throws(CheckpointError) {
    let file = try OutputFile(path: path)
    try file.write(Array(text.utf8), at: 0)
    try file.commit()
  }

  /// The error for the call that just failed.
  private static func failure(_ path: String) -> CheckpointError {
    CheckpointError(
      kind: .cannotWrite, file: path, place: "", found: String(cString: strerror(errno)),
      expected: "a path that can be written")
  }
}

extension Array {
  /// `withUnsafeBufferPointer` for a body whose errors keep their type.
  func withBuffer(
    _ body: (UnsafeBufferPointer<Element>) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    let result = withUnsafeBufferPointer { buffer -> Result<Void, CheckpointError> in
      do throws(CheckpointError) {
        return .success(try body(buffer))
      } catch {
        return .failure(error)
      }
    }
    try result.get()
  }
}
