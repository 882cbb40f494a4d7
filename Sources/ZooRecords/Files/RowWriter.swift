import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Appends rows to a file as their cases finish.
///
/// Each row is one `write` to a descriptor opened for appending, followed by `fsync`: what was
/// appended survives a crash, and a row that could not be written whole is taken back.
public final class RowWriter: Sendable {
  /// Path of the file.
  public let path: String
  /// The rows that were in the file before.
  public let existing: [ResultRow]
  /// One line about a cut last line that was dropped from an existing file.
  public let note: String?
  private let descriptor: Int32

  /// Opens a file for appending; makes it and its folder where missing.
  ///
  /// An existing file must hold rows; one last line that was cut while it was written is
  /// dropped, so that the next row starts a line of its own.
  /// - Throws: ``RecordError``: `cannotWrite`, or `badData` if an existing file holds no rows.
  public init(path: String) throws(RecordError) {
    try System.makeFolder(of: path)
    try System.expectRegular(path)
    let flags = O_WRONLY | O_CREAT | O_APPEND
    let descriptor = System.open(path, flags)
    guard descriptor >= 0 else {
      throw RecordError(
        kind: .cannotWrite, file: path,
        expected: "expected a file that can be written: \(System.lastError)")
    }
    do throws(RecordError) {
      let file = try RowFile(path: path, recovering: true)
      if file.note != nil, ftruncate(descriptor, off_t(file.wholeBytes)) != 0 {
        throw RecordError(
          kind: .cannotWrite, file: path,
          expected: "expected to drop a cut line: \(System.lastError)")
      }
      if file.needsLineBreak, !System.writeAll([UInt8(ascii: "\n")], to: descriptor) {
        throw RecordError(
          kind: .cannotWrite, file: path,
          expected: "expected to end the last line: \(System.lastError)")
      }
      self.existing = file.rows
      self.note = file.note
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  /// Appends one row and waits until it is on the disk.
  ///
  /// - Throws: ``RecordError``: `cannotWrite` (nothing of the row stays in the file), or
  ///   `unencodable` for a number that is not finite.
  public func append(_ row: ResultRow) throws(RecordError) {
    let line = try RowCoding.line(of: row)
    let before = lseek(descriptor, 0, SEEK_END)
    guard System.writeAll(Array(line.utf8) + [UInt8(ascii: "\n")], to: descriptor) else {
      let problem = System.lastError
      if before >= 0 { ftruncate(descriptor, before) }
      throw RecordError(
        kind: .cannotWrite, file: path, expected: "expected to append a row: \(problem)")
    }
    guard fsync(descriptor) == 0 else {
      throw RecordError(
        kind: .cannotWrite, file: path, expected: "expected to reach the disk: \(System.lastError)")
    }
  }

  /// A path that is not taken: `stem.extension`, else `stem-2.extension` and so on, so that
  /// results are never overwritten.
  public static func freshPath(folder: String, stem: String, extension suffix: String) -> String {
    var count = 1
    while true {
      let name = count == 1 ? stem : "\(stem)-\(count)"
      let path = URL(fileURLWithPath: folder).appendingPathComponent("\(name).\(suffix)").path
      if !FileManager.default.fileExists(atPath: path) { return path }
      count += 1
    }
  }
}
