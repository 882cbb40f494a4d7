/// How a table is printed.
public enum TableFormat: String, Sendable, Hashable, CaseIterable {
  /// Aligned columns for a terminal.
  case table
  /// A GitHub table.
  case markdown
  /// Comma-separated values (RFC 4180).
  case csv
  /// A list of objects, one for each row.
  case json
}

/// A table of texts, printed in any ``TableFormat``.
public struct Table: Sendable, Hashable {
  /// On which side the cells of a column stand.
  public enum Alignment: Sendable, Hashable {
    /// Texts.
    case left
    /// Numbers.
    case right
  }

  /// A column's head.
  public struct Column: Sendable, Hashable {
    /// The title that people read, with its unit.
    public let title: String
    /// The name in CSV and JSON.
    public let key: String
    /// On which side its cells stand.
    public let alignment: Alignment

    /// A column; without a `key` its name in CSV and JSON is the title in snake case.
    public init(_ title: String, key: String? = nil, _ alignment: Alignment = .right) {
      self.title = title
      self.key = key ?? Self.snakeCase(title)
      self.alignment = alignment
    }

    private static func snakeCase(_ title: String) -> String {
      title.lowercased()
        .split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
        .joined(separator: "_")
    }
  }

  /// The columns, from left to right.
  public let columns: [Column]
  /// The rows; each has a cell for each column.
  public private(set) var rows: [[Cell]]

  /// A table of rows; a short row is filled up with empty cells, a long one is cut.
  public init(columns: [Column], rows: [[Cell]] = []) {
    self.columns = columns
    self.rows = []
    for row in rows { append(row) }
  }

  /// Adds a row; a short one is filled up with empty cells, a long one is cut.
  public mutating func append(_ row: [Cell]) {
    let missing = max(0, columns.count - row.count)
    rows.append(Array(row.prefix(columns.count)) + Array(repeating: "", count: missing))
  }

  /// The table without the columns in which every cell is empty or ``NumberText/missing``.
  public func droppingEmptyColumns() -> Table {
    let kept = columns.indices.filter { index in
      rows.contains { !$0[index].isMissing }
    }
    return Table(
      columns: kept.map { columns[$0] }, rows: rows.map { row in kept.map { row[$0] } })
  }

  /// The table as text that ends with a line break.
  public func render(_ format: TableFormat) -> String {
    switch format {
    case .table: aligned()
    case .markdown: markdown()
    case .csv: csv()
    case .json: json()
    }
  }
}
