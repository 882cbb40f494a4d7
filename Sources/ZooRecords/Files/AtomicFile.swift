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
  /// Writes texts as UTF-8 beside their files and renames: a reader sees the old content or the new
  /// one.
  ///
  /// Makes folders where missing. All are written before the first is renamed, in their order: an
  /// error before that, a full disk too, leaves nothing new behind.
  /// - Throws: ``RecordError`` (`cannotWrite`), also where a path is a folder or a device.
  public static func write(_ files: [(path: String, text: String)]) throws(RecordError) {
    var staged: [String] = []
    defer { for beside in staged { unlink(beside) } }
    for file in files { try System.expectRegular(file.path) }
    for file in files {
      try System.makeFolder(of: file.path)
      let beside = "\(file.path).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).part"
      let descriptor = System.open(beside, O_WRONLY | O_CREAT | O_EXCL)
      guard descriptor >= 0 else { throw failure(file.path) }
      staged.append(beside)
      let isWhole =
        System.writeAll(Array(file.text.utf8), to: descriptor) && fsync(descriptor) == 0
      let problem = System.lastError
      close(descriptor)
      guard isWhole else { throw failure(file.path, problem) }
    }
    for (file, beside) in zip(files, staged) {
      guard rename(beside, file.path) == 0 else { throw failure(file.path) }
    }
  }

  /// Writes one text; see ``write(_:)``.
  public static func write(_ text: String, to path: String) throws(RecordError) {
    try write([(path, text)])
  }

  private static func failure(_ path: String, _ problem: String = System.lastError) -> RecordError {
    RecordError(
      kind: .cannotWrite, file: path, expected: "expected a file that can be written: \(problem)")
  }
}
