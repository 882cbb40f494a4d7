import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Files that are there whole or not at all.
public enum AtomicFile {
  /// Writes bytes beside the file and renames: a reader sees the old content or the new one.
  ///
  /// Makes the folder where missing. On an error nothing new is left behind.
  /// - Throws: ``RecordError`` (`cannotWrite`).
  public static func write(_ bytes: [UInt8], to path: String) throws(RecordError) {
    try System.makeFolder(of: path)
    let beside = "\(path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).part"
    let descriptor = System.open(beside, O_WRONLY | O_CREAT | O_EXCL)
    guard descriptor >= 0 else { throw failure(path) }
    let isWhole = System.writeAll(bytes, to: descriptor) && fsync(descriptor) == 0
    let problem = System.lastError
    close(descriptor)
    guard isWhole else {
      unlink(beside)
      throw failure(path, problem)
    }
    guard rename(beside, path) == 0 else {
      let problem = System.lastError
      unlink(beside)
      throw failure(path, problem)
    }
  }

  /// Writes a text as UTF-8; see ``write(_:to:)-([UInt8],_)``.
  public static func write(_ text: String, to path: String) throws(RecordError) {
    try write(Array(text.utf8), to: path)
  }

  private static func failure(_ path: String, _ problem: String = System.lastError) -> RecordError {
    RecordError(
      kind: .cannotWrite, file: path, expected: "expected a file that can be written: \(problem)")
  }
}
