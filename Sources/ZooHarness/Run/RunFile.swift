import Foundation
import ZooRecords

/// The row file of a run: appended to as cases finish, and gone on with where it was left. A file
/// that is not there yet is made by the first row.
public struct RunFile: Sendable {
  /// Cases that need not run again.
  public let finished: Set<String>
  /// One line about what was found in an existing file, or why another one is begun.
  public let note: String?
  private let writer: RowWriter

  /// Path of the file that rows go to.
  public var path: String { writer.path }

  /// Goes on with the latest of `folder`/`stem`.jsonl, `stem`-2.jsonl, … whose rows are of this
  /// commit and machine, else with a fresh file beside them.
  /// - Throws: `RecordError`: `cannotWrite`, or `badData` where one of the files holds no rows.
  public init(folder: String, stem: String, facts: MachineFacts) throws(RecordError) {
    let fresh = RowWriter.freshPath(folder: folder, stem: stem, extension: "jsonl")
    var reason: String?
    for path in Self.taken(folder: folder, stem: stem, before: fresh).reversed() {
      let rows = try RowFile(path: path, recovering: true).rows
      let plan = ResumePlan(rows: rows, on: facts.identity)
      if plan.mayAppend {
        writer = try RowWriter(path: path)
        finished = plan.finished
        note = writer.note
        return
      }
      reason = reason ?? "\(path) \(Self.refusal(rows, facts)); this run goes to \(fresh)"
    }
    writer = try RowWriter(path: fresh)
    finished = []
    note = reason
  }

  /// Goes on with a file by its path; rows of the same commit and machine are not measured again.
  /// - Throws: `RecordError`.
  public init(path: String, facts: MachineFacts) throws(RecordError) {
    let writer = try RowWriter(path: path)
    let plan = ResumePlan(rows: writer.existing, on: facts.identity)
    guard plan.mayAppend else {
      throw RecordError(
        kind: .badData, file: path,
        expected: Self.refusal(writer.existing, facts) + "; expected a new file")
    }
    self.writer = writer
    finished = plan.finished
    note = writer.note
  }

  /// Appends a row and waits until it is on the disk.
  /// - Throws: `RecordError`.
  public func append(_ row: ResultRow) throws(RecordError) { try writer.append(row) }

  /// The rows of the file as it is now; none where no row was appended to a new one.
  /// - Throws: `RecordError`.
  public func rows() throws(RecordError) -> [ResultRow] {
    guard FileManager.default.fileExists(atPath: path) else { return [] }
    return try RowFile(path: path, recovering: true).rows
  }

  /// The files that were there before `fresh`, in order.
  private static func taken(folder: String, stem: String, before fresh: String) -> [String] {
    var paths: [String] = []
    while true {
      let count = paths.count + 1
      let name = count == 1 ? stem : "\(stem)-\(count)"
      let path = URL(fileURLWithPath: folder).appendingPathComponent("\(name).jsonl").path
      if path == fresh { return paths }
      paths.append(path)
    }
  }

  /// Why rows cannot be gone on with.
  private static func refusal(_ rows: [ResultRow], _ facts: MachineFacts) -> String {
    let commit = facts.identity.commit
    if commit.isEmpty || commit.hasSuffix("-dirty") {
      return "holds rows, and the sources of this run were changed since their commit "
        + "(\(commit.isEmpty ? "unknown" : commit)): their rows are never gone on with"
    }
    if rows.allSatisfy({ $0.machine.commit == commit }) {
      return "holds rows of another machine or its software"
    }
    let others = Set(rows.map(\.machine.commit)).subtracting([commit]).sorted()
    return "holds rows of another commit (\(others.first ?? "unknown"))"
  }
}
