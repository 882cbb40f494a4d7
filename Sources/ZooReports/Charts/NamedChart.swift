/// A chart with the last part of its file's name.
public struct NamedChart: Sendable, Hashable {
  /// Lower-case letters, digits and hyphens; the same for the same kind of chart.
  public let name: String
  /// The chart.
  public let chart: Chart

  /// A named chart.
  public init(name: String, chart: Chart) {
    self.name = name
    self.chart = chart
  }

  /// A text as part of a file's name: `llama-3-2-1b`.
  static func slug(_ text: String) -> String {
    text.lowercased()
      .split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
      .joined(separator: "-")
  }
}
