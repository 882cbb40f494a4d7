import Foundation

/// A read-only memory mapping of a whole file, unmapped when the last holder lets go.
///
/// The mapping shows the file as it is on disk: a file that another process shortens while it is
/// mapped ends this process by a bus error, as with every mapped reader.
final class MappedFile: Sendable {
  /// The path as the caller gave it.
  let path: String
  /// The length of the file when it was opened, in bytes.
  let count: Int
  /// The first byte as an address; 0 for an empty file, which cannot be mapped.
  private let address: UInt

  /// Maps the regular file at `path`.
  ///
  /// - Throws: `CheckpointError` of kind `missing` where there is no such file, it is not a regular
  ///   file, or it cannot be opened or mapped.
  init(path: String) throws(CheckpointError) {
    func failure(_ found: String) -> CheckpointError {
      CheckpointError(
        kind: .missing, file: path, place: "", found: found, expected: "a readable file")
    }
    // Non-blocking, so that a pipe without a writer is refused below instead of waited for.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw failure(errno == ENOENT ? "no such file" : String(cString: strerror(errno)))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw failure(String(cString: strerror(errno))) }
    let type = status.st_mode & S_IFMT
    guard type == S_IFREG else {
      throw failure(type == S_IFDIR ? "a folder" : "something that is not a regular file")
    }
    self.path = path
    count = Int(status.st_size)
    guard count > 0 else {
      address = 0
      return
    }
    guard let start = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED
    else { throw failure("a file that cannot be mapped (\(String(cString: strerror(errno))))") }
    address = UInt(bitPattern: start)
  }

  deinit {
    if let start = UnsafeMutableRawPointer(bitPattern: address) { munmap(start, count) }
  }

  /// The bytes of the file, valid while this object lives; ``withBytes(_:)`` sees to it.
  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count)
  }

  /// Calls `body` with the bytes of the file, which are valid during the call.
  func withBytes<Result>(
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Result
  ) throws(CheckpointError) -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(bytes)
  }

  /// Tells the system that the bytes in `range` are not needed for now. They leave this process's
  /// resident memory and come back from the file when touched again.
  func releasePages(_ range: Range<Int>) {
    let pageSize = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (range.lowerBound + pageSize - 1) / pageSize * pageSize
    let last = range.upperBound / pageSize * pageSize
    guard first < last, let start = UnsafeMutableRawPointer(bitPattern: address) else { return }
    madvise(start + first, last - first, Int32(MADV_DONTNEED))
  }
}
