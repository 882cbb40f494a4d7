import ZooRecords

/// Small pieces of markdown.
enum Markdown {
  /// A heading and its parts, with an empty line between; nothing without parts.
  static func section(_ level: Int, _ title: String, _ parts: [String]) -> String {
    let kept = parts.filter { !$0.isEmpty }
    guard !kept.isEmpty else { return "" }
    let heading = String(repeating: "#", count: level) + " " + title + "\n"
    return ([heading] + kept.map { $0.hasSuffix("\n") ? $0 : $0 + "\n" }).joined(separator: "\n")
  }

  /// A bulleted list.
  static func list(_ items: [String]) -> String {
    items.map { "- \($0)\n" }.joined()
  }

  /// Names as code: `` `a`, `b` and `c` ``.
  static func names(_ names: [String]) -> String {
    let codes = names.map { "`\($0)`" }
    guard codes.count > 1, let last = codes.last else { return codes.first ?? "" }
    return codes.dropLast().joined(separator: ", ") + " and " + last
  }

  /// The commands that repeat rows: one in the open, several folded.
  static func commands(_ rows: [ResultRow]) -> String {
    var seen: Set<String> = []
    let commands = rows.map(\.command).filter { !$0.isEmpty && seen.insert($0).inserted }
    guard !commands.isEmpty else { return "" }
    let block = "```sh\n" + commands.joined(separator: "\n") + "\n```\n"
    if commands.count == 1 { return "To repeat:\n\n" + block }
    return "<details><summary>To repeat a row</summary>\n\n\(block)\n</details>\n"
  }

  /// A picture beside the report.
  static func picture(_ chart: NamedChart, stem: String) -> String {
    "![\(chart.chart.title)](\(stem)-\(chart.name).svg)\n"
  }
}
