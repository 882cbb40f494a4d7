import ZooRecords

/// The row file of a run: appended to as cases finish, and gone on with where it was left.
public struct RunFile: Sendable {
  /// Cases that need not run again.
  public let finished: Set<String>
  /// One line about what was found in an existing file, or why another one was begun.
  public let note: String?
  private let writer: RowWriter

  /// Path of the file that rows go to.
  public var path: String { writer.path }

  /// Opens `folder`/`stem`.jsonl to go on with, or a fresh file beside it where its rows are of
  /// another commit or machine.
  /// - Throws: `RecordError`: `cannotWrite`, or `badData` where the file holds no rows.
  public init(folder: String, stem: String, facts: MachineFacts) throws(RecordError) {
    let path = folder.hasSuffix("/") ? "\(folder)\(stem).jsonl" : "\(folder)/\(stem).jsonl"
    let writer = try RowWriter(path: path)
    let plan = ResumePlan(rows: writer.existing, on: facts.identity)
    if plan.mayAppend {
      self.writer = writer
      finished = plan.finished
      note = writer.note
    } else {
      let fresh = RowWriter.freshPath(folder: folder, stem: stem, extension: "jsonl")
      self.writer = try RowWriter(path: fresh)
      finished = []
      note = "\(path) holds rows of another commit or machine; this run goes to \(fresh)"
    }
  }

  /// Opens a file by its path; rows of the same commit and machine are not measured again.
  /// - Throws: `RecordError`.
  public init(path: String, facts: MachineFacts) throws(RecordError) {
    writer = try RowWriter(path: path)
    let plan = ResumePlan(rows: writer.existing, on: facts.identity)
    guard plan.mayAppend else {
      throw RecordError(
        kind: .badData, file: path,
        expected: "expected rows of this commit and machine, or a new file")
    }
    finished = plan.finished
    note = writer.note
  }

  /// Appends a row and waits until it is on the disk.
  /// - Throws: `RecordError`.
  public func append(_ row: ResultRow) throws(RecordError) { try writer.append(row) }
}
