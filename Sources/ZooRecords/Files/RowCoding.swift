import Foundation

/// One row as one line of JSON and back.
public enum RowCoding {
  /// The row as one line without a line break: keys in alphabetical order, numbers in the
  /// shortest form that reads back the same, so that equal rows give equal bytes.
  ///
  /// - Throws: ``RecordError`` (`unencodable`) for a number that is not finite, with its place.
  public static func line(of row: ResultRow) throws(RecordError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(row), as: UTF8.self)
    } catch let EncodingError.invalidValue(value, context) {
      throw RecordError(
        kind: .unencodable, file: "result row of \(row.variant)",
        place: context.codingPath.map(\.stringValue).joined(separator: "."),
        expected: "expected a finite number, found \(value)")
    } catch {
      throw RecordError(
        kind: .unencodable, file: "result row of \(row.variant)", expected: "\(error)")
    }
  }

  /// Reads a row from one line.
  ///
  /// - Parameters:
  ///   - line: The UTF-8 bytes of one JSON object.
  ///   - file: Name for the error message.
  ///   - number: The line's number, from 1, for the error message.
  ///   - strict: Whether a name that this version does not know is an error. It is not by
  ///     default: later versions may add fields within one schema.
  /// - Throws: ``RecordError`` (`badData`) with the line, the field and what was expected.
  public static func row(
    from line: Data, file: String, number: Int, strict: Bool = false
  ) throws(RecordError) -> ResultRow {
    func bad(_ field: String, _ expected: String) -> RecordError {
      RecordError(
        kind: .badData, file: file,
        place: "line \(number)" + (field.isEmpty ? "" : ", \(field)"), expected: expected)
    }
    struct Version: Decodable { let schema: Int }
    do {
      let version = try JSONDecoder().decode(Version.self, from: line)
      guard version.schema == ResultRow.currentSchema else {
        throw bad(
          "schema",
          "expected \(ResultRow.currentSchema), found \(version.schema): another version's rows")
      }
      let row = try JSONDecoder().decode(ResultRow.self, from: line)
      if strict, let name = try unknownName(in: line, row: row) {
        throw bad(name, "expected a known field")
      }
      return row
    } catch let error as RecordError {
      throw error
    } catch let DecodingError.keyNotFound(key, context) {
      throw bad(path(context.codingPath + [key]), "expected this field, found none")
    } catch let DecodingError.typeMismatch(type, context) {
      throw bad(path(context.codingPath), "expected \(words(for: type)), found another type")
    } catch let DecodingError.valueNotFound(type, context) {
      throw bad(path(context.codingPath), "expected \(words(for: type)), found null")
    } catch let DecodingError.dataCorrupted(context) where !context.codingPath.isEmpty {
      throw bad(path(context.codingPath), context.debugDescription)
    } catch {
      throw bad("", "expected one whole JSON object")
    }
  }

  private static func path(_ keys: [any CodingKey]) -> String {
    keys.map(\.stringValue).joined(separator: ".")
  }

  private static func words(for type: Any.Type) -> String {
    switch type {
    case is Int.Type, is UInt64.Type: "a whole number"
    case is Double.Type: "a number"
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is [Any].Type: "a list"
    default: "an object"
    }
  }

  private static func unknownName(in line: Data, row: ResultRow) throws -> String? {
    let known = try JSONSerialization.jsonObject(with: JSONEncoder().encode(row))
    return firstUnknown(try JSONSerialization.jsonObject(with: line), known, at: "")
  }

  /// The first name, in alphabetical order, that reading and writing a row again loses.
  private static func firstUnknown(_ found: Any, _ known: Any?, at place: String) -> String? {
    if let items = found as? [Any] {
      let knownItems = known as? [Any] ?? []
      for (index, item) in items.enumerated() where index < knownItems.count {
        if let name = firstUnknown(item, knownItems[index], at: "\(place)[\(index)]") {
          return name
        }
      }
    }
    guard let object = found as? [String: Any] else { return nil }
    let knownObject = known as? [String: Any] ?? [:]
    for name in object.keys.sorted() {
      guard let value = object[name], !(value is NSNull) else { continue }
      let inner = place.isEmpty ? name : "\(place).\(name)"
      guard let match = knownObject[name] else { return inner }
      if let unknown = firstUnknown(value, match, at: inner) { return unknown }
    }
    return nil
  }
}
