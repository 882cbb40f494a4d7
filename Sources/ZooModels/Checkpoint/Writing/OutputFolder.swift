import Foundation

/// A folder written beside its final path and renamed at the end, so that a reader sees the whole
/// folder or none. Without ``commit()`` nothing remains.
final class OutputFolder {
  /// The final path.
  let path: String
  /// Where files go until then.
  let temporaryPath: String
  private var isOpen = true

  /// Creates the temporary folder.
  ///
  /// - Throws: `CheckpointError` of kind `malformed` where `path` exists and is not an empty folder,
  ///   `cannotWrite` where the temporary folder cannot be created.
  init(path: String) throws(CheckpointError) {
    // "name" and "name/" are one folder; the temporary one lies beside it, not in it.
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    try Self.requireFree(path)
    self.path = path
    temporaryPath = path + ".partial-" + String(UInt64.random(in: 0...UInt64.max), radix: 16)
    guard mkdir(temporaryPath, 0o777) == 0 else { throw Self.failure(path) }
  }

  deinit {
    if isOpen { try? FileManager.default.removeItem(atPath: temporaryPath) }
  }

  /// The temporary path of the file called `name`.
  func file(_ name: String) -> String { temporaryPath + "/" + name }

  /// Gives a file of the folder another name.
  func rename(_ name: String, to other: String) throws(CheckpointError) {
    guard Foundation.rename(file(name), file(other)) == 0 else { throw Self.failure(path) }
  }

  /// Gives the folder its final name.
  ///
  /// - Throws: `CheckpointError` as ``init(path:)``, where something came to be there meanwhile.
  func commit() throws(CheckpointError) {
    try Self.requireFree(path)
    guard Foundation.rename(temporaryPath, path) == 0 else { throw Self.failure(path) }
    isOpen = false
  }

  /// Refuses a path where something is that would be lost.
  static func requireFree(_ path: String) throws(CheckpointError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
    let found: String
    if isFolder.boolValue {
      guard let names = try? FileManager.default.contentsOfDirectory(atPath: path) else {
        throw CheckpointError(
          kind: .cannotWrite, file: path, place: "", found: "a folder that cannot be read",
          expected: "a folder that is empty or not there yet")
      }
      if names.isEmpty { return }
      found = "a folder that holds \(names.count) file\(names.count == 1 ? "" : "s")"
    } else {
      found = "a file"
    }
    throw CheckpointError(
      kind: .malformed, file: path, place: "", found: found,
      expected: "a folder that is empty or not there yet")
  }

  /// The error for the call that just failed.
  private static func failure(_ path: String) -> CheckpointError {
    CheckpointError(
      kind: .cannotWrite, file: path, place: "", found: String(cString: strerror(errno)),
      expected: "a path that can be written")
  }
}
