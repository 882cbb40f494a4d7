extension Table {
  /// Columns two spaces apart under a ruled head.
  func aligned() -> String {
    let widths = columns.indices.map { index in
      max(columns[index].title.count, rows.map { $0[index].text.count }.max() ?? 0)
    }
    func line(_ cells: [String]) -> String {
      var text = ""
      for (index, cell) in cells.enumerated() {
        if index > 0 { text += "  " }
        text += pad(cell, to: widths[index], columns[index].alignment)
      }
      while text.last == " " { text.removeLast() }
      return text + "\n"
    }
    return line(columns.map(\.title)) + line(widths.map { String(repeating: "─", count: $0) })
      + rows.map { line($0.map(\.text)) }.joined()
  }

  /// A GitHub table.
  func markdown() -> String {
    func line(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }
    func cell(_ text: String) -> String {
      text.replacing("|", with: "\\|").replacing("\n", with: " ")
    }
    return line(columns.map { cell($0.title) })
      + line(columns.map { $0.alignment == .left ? ":--" : "--:" })
      + rows.map { row in line(row.map { cell($0.text) }) }.joined()
  }

  /// RFC 4180, with line feeds as line breaks.
  func csv() -> String {
    ([columns.map(\.key)] + rows.map { $0.map(\.data) }).map { cells in
      cells.map(Table.csvCell).joined(separator: ",") + "\n"
    }.joined()
  }

  /// A list of objects; a missing value is left out.
  func json() -> String {
    let objects = rows.map { row in
      let members = columns.indices.compactMap { index -> String? in
        guard !row[index].isMissing else { return nil }
        return "\(Table.quoted(columns[index].key)): \(Table.jsonValue(row[index]))"
      }
      return "  {" + members.joined(separator: ", ") + "}"
    }
    return objects.isEmpty ? "[]\n" : "[\n" + objects.joined(separator: ",\n") + "\n]\n"
  }

  private static func csvCell(_ text: String) -> String {
    // "\r\n" is one Character, so bytes are looked at.
    let needsQuotes = text.utf8.contains { [0x22, 0x2c, 0x0a, 0x0d].contains($0) }
    return needsQuotes ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
  }

  private static func jsonValue(_ cell: Cell) -> String {
    cell.isNumber ? cell.data : quoted(cell.data)
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default:
        if scalar.value < 0x20 {
          let digits = String(scalar.value, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        } else {
          result.unicodeScalars.append(scalar)
        }
      }
    }
    return result + "\""
  }

  private func pad(_ text: String, to width: Int, _ alignment: Alignment) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return alignment == .left ? text + space : space + text
  }
}
