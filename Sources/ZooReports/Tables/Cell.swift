extension Table {
  /// A cell: a text for people, and for CSV and JSON the value without units and rounding.
  public struct Cell: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// What people read.
    public let text: String
    /// What programs read; empty where nothing was measured.
    public let data: String
    /// Whether `data` is a number.
    public let isNumber: Bool

    /// A word, or a text that has no other form.
    public init(_ text: String) {
      self.text = text
      self.data = text == NumberText.missing ? "" : text
      self.isNumber = false
    }

    /// A number with its text for people.
    public init(_ text: String, value: Double?) {
      self.text = value == nil ? NumberText.missing : text
      self.data = value.map(Self.shortest) ?? ""
      self.isNumber = value != nil
    }

    /// A literal text.
    public init(stringLiteral text: String) { self.init(text) }

    /// A number with significant digits.
    public static func number(_ value: Double?, digits: Int = 3) -> Cell {
      Cell(NumberText.significant(value, digits: digits), value: value)
    }

    /// A whole number with commas.
    public static func whole(_ value: Int?) -> Cell {
      Cell(NumberText.whole(value), value: value.map(Double.init))
    }

    /// Bytes in binary units; whole bytes in CSV and JSON.
    public static func bytes(_ value: Int?) -> Cell {
      Cell(NumberText.bytes(value), value: value.map(Double.init))
    }

    /// A ratio: `0.031×`.
    public static func ratio(_ value: Double?) -> Cell {
      Cell(NumberText.ratio(value), value: value)
    }

    /// A number without rounding or grouping; an empty cell where there is none.
    public static func raw(_ value: Double?) -> Cell {
      value.map { Cell(shortest($0), value: $0) } ?? Cell("")
    }

    /// Whether there is nothing in it.
    public var isMissing: Bool { text.isEmpty || text == NumberText.missing }

    /// The shortest text that reads back the same, whole numbers without `.0`.
    private static func shortest(_ value: Double) -> String {
      if abs(value) < 1e18, value == value.rounded() { return String(Int(value)) }
      return "\(value)"
    }
  }
}
