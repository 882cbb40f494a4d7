import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The few system calls that writing records needs.
enum System {
  /// The last system error in words.
  static var lastError: String { String(cString: strerror(errno)) }

  /// Makes the folder of a file, with its parents.
  static func makeFolder(of path: String) throws(RecordError) {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw RecordError(
        kind: .cannotWrite, file: folder, expected: "expected a folder that can be written")
    }
  }

  /// Refuses no name, a folder, a device or a pipe; a path that is not taken is fine.
  static func expectRegular(_ path: String) throws(RecordError) {
    guard !path.isEmpty else {
      throw RecordError(kind: .cannotWrite, file: "\"\"", expected: "expected a file's path")
    }
    let attributes = try? FileManager.default.attributesOfItem(
      atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
    guard let type = attributes?[.type] as? FileAttributeType else { return }
    guard type == .typeRegular else {
      throw RecordError(kind: .cannotWrite, file: path, expected: "expected a regular file")
    }
  }

  /// Opens a file; a negative descriptor on failure.
  static func open(_ path: String, _ flags: Int32) -> Int32 {
    #if canImport(Glibc)
      Glibc.open(path, flags | O_CLOEXEC, 0o644)
    #elseif canImport(Musl)
      Musl.open(path, flags | O_CLOEXEC, 0o644)
    #else
      Darwin.open(path, flags | O_CLOEXEC, 0o644)
    #endif
  }

  /// Writes all bytes; an interrupted or short write goes on.
  static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count {
        guard let base = buffer.baseAddress else { return false }
        let count = write(descriptor, base + written, buffer.count - written)
        if count < 0 {
          if errno == EINTR { continue }
          return false
        }
        written += count
      }
      return true
    }
  }
}
