/// A JSON value, with integers kept apart from other numbers.
enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case real(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The value in a few words, for messages.
  var summary: String {
    switch self {
    case .null: "null"
    case .bool(let value): String(value)
    case .integer(let value): String(value)
    case .real(let value): String(value)
    case .string(let value): CheckpointError.quoted(value)
    case .array(let values): "a list of \(values.count)"
    case .object(let members): "an object of \(members.count)"
    }
  }

  /// The value as JSON text with sorted keys, indented by two spaces a level where `indented`.
  func text(indented: Bool) -> String {
    var result = ""
    write(into: &result, indented: indented, level: 0)
    return result
  }

  private func write(into text: inout String, indented: Bool, level: Int) {
    func newLine(_ level: Int) {
      if indented { text += "\n" + String(repeating: "  ", count: level) }
    }
    switch self {
    case .null, .bool, .integer, .real: text += summary
    case .string(let value): text += Self.literal(value)
    case .array(let values):
      text += "["
      for (index, value) in values.enumerated() {
        if index > 0 { text += indented ? ", " : "," }
        value.write(into: &text, indented: indented, level: level)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, key) in members.keys.sorted().enumerated() {
        if index > 0 { text += "," }
        newLine(level + 1)
        text += Self.literal(key) + (indented ? ": " : ":")
        members[key]?.write(into: &text, indented: indented, level: level + 1)
      }
      if !members.isEmpty { newLine(level) }
      text += "}"
    }
  }

  /// `text` as a JSON string literal.
  static func literal(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
