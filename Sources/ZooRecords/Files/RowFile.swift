import Foundation

/// A file of result rows, one JSON object a line.
public struct RowFile: Sendable, Hashable {
  /// The rows, in the file's order.
  public let rows: [ResultRow]
  /// One line about a cut last line that was left out; only when recovering.
  public let note: String?
  /// Bytes of the file up to and with the last whole row.
  public let wholeBytes: Int
  /// Whether the last whole row lacks its line break.
  public let needsLineBreak: Bool

  /// The rows of a file for a reader that needs some.
  /// - Throws: ``RecordError``: as reading does, and `badData` for a file without a row.
  public static func someRows(path: String) throws(RecordError) -> [ResultRow] {
    let rows = try RowFile(path: path).rows
    guard !rows.isEmpty else {
      throw RecordError(
        kind: .badData, file: path, expected: "expected at least one result row, found none")
    }
    return rows
  }

  /// Reads a file of rows.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - recovering: Leave out one last line that was cut while it was written, and say so in
  ///     ``note``; for going on with an interrupted run. Any other fault stays an error.
  ///   - strict: Refuse fields that this version does not know.
  /// - Throws: ``RecordError``: `inputMissing`, or `badData` with the line and what was expected.
  public init(path: String, recovering: Bool = false, strict: Bool = false) throws(RecordError) {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw RecordError(
        kind: .inputMissing, file: path, expected: "expected a readable file of result rows")
    }
    var rows: [ResultRow] = []
    var note: String?
    var start = data.startIndex
    var whole = 0
    var number = 0
    var needsLineBreak = false
    while start < data.endIndex {
      number += 1
      let lineBreak = data[start...].firstIndex(of: UInt8(ascii: "\n"))
      let line = data[start..<(lineBreak ?? data.endIndex)]
      let next = lineBreak.map { $0 + 1 } ?? data.endIndex
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) {
        if lineBreak != nil { whole = next - data.startIndex }
        start = next
        continue
      }
      do throws(RecordError) {
        rows.append(
          try RowCoding.row(from: Data(line), file: path, number: number, strict: strict))
        whole = next - data.startIndex
        needsLineBreak = lineBreak == nil
      } catch {
        let isCut =
          lineBreak == nil && (try? JSONSerialization.jsonObject(with: Data(line))) == nil
        guard isCut else { throw error }
        let what = "the line is cut after \(line.count) bytes"
        guard recovering else {
          throw RecordError(
            kind: .badData, file: path, place: "line \(number)",
            expected: "\(what), expected one whole JSON object and a line break")
        }
        note = "\(path): line \(number): \(what) and was left out; its case runs again"
      }
      start = next
    }
    self.rows = rows
    self.note = note
    self.wholeBytes = whole
    self.needsLineBreak = needsLineBreak
  }
}
