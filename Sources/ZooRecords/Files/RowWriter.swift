import Foundation
import Synchronization

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
/// appended survives a crash, and a row that could not be written whole is taken back. Until the
/// first row nothing is left on the disk but the folder, and an existing file is not touched.
public final class RowWriter: Sendable {
  /// Path of the file.
  public let path: String
  /// The rows that were in the file before.
  public let existing: [ResultRow]
  /// One line about a cut last line that is left out of an existing file.
  public let note: String?
  private let wholeBytes: Int
  private let needsLineBreak: Bool
  /// Of the open file; nil before the first row.
  private let descriptor = Mutex<Int32?>(nil)

  /// Makes ready to append to a file; makes its folder where missing and sees that the file can be
  /// written.
  ///
  /// An existing file must hold rows; one last line that was cut while it was written is
  /// dropped, so that the next row starts a line of its own.
  /// - Throws: ``RecordError``: `cannotWrite`, or `badData` if an existing file holds no rows.
  public init(path: String) throws(RecordError) {
    try System.makeFolder(of: path)
    try System.expectRegular(path)
    let probe = System.open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND)
    if probe >= 0 {
      close(probe)
      unlink(path)
      (existing, note, wholeBytes, needsLineBreak) = ([], nil, 0, false)
    } else if errno != EEXIST {
      throw Self.cannotOpen(path)
    } else {
      close(try Self.open(path, O_WRONLY | O_APPEND))
      let file = try RowFile(path: path, recovering: true)
      existing = file.rows
      note = file.note
      wholeBytes = file.wholeBytes
      needsLineBreak = file.needsLineBreak
    }
    self.path = path
  }

  deinit {
    descriptor.withLock { if let open = $0 { close(open) } }
  }

  private static func open(_ path: String, _ flags: Int32) throws(RecordError) -> Int32 {
    let descriptor = System.open(path, flags)
    guard descriptor >= 0 else { throw cannotOpen(path) }
    return descriptor
  }

  private static func cannotOpen(_ path: String) -> RecordError {
    RecordError(
      kind: .cannotWrite, file: path,
      expected: "expected a file that can be written: \(System.lastError)")
  }

  /// Opens the file for the first row: drops a cut last line, ends a whole one.
  private func openForRows() throws(RecordError) -> Int32 {
    let descriptor = try Self.open(path, O_WRONLY | O_CREAT | O_APPEND)
    var problem: String?
    if note != nil, ftruncate(descriptor, off_t(wholeBytes)) != 0 {
      problem = "expected to drop a cut line"
    } else if needsLineBreak, !System.writeAll([UInt8(ascii: "\n")], to: descriptor) {
      problem = "expected to end the last line"
    }
    guard let problem else { return descriptor }
    let error = RecordError(
      kind: .cannotWrite, file: path, expected: "\(problem): \(System.lastError)")
    close(descriptor)
    throw error
  }

  /// Appends one row and waits until it is on the disk.
  ///
  /// - Throws: ``RecordError``: `cannotWrite` (nothing of the row stays in the file), or
  ///   `unencodable` for a number that is not finite.
  public func append(_ row: ResultRow) throws(RecordError) {
    let line = try RowCoding.line(of: row)
    try descriptor.withLock { open throws(RecordError) in
      if open == nil { open = try openForRows() }
      if let open { try append(line, to: open) }
    }
  }

  private func append(_ line: String, to descriptor: Int32) throws(RecordError) {
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
