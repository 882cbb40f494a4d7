import Foundation

/// Text of SVG elements with fixed decimals, the same on every machine.
enum SVG {
  /// A coordinate with at most two decimals and without `-0`.
  static func number(_ value: Double) -> String {
    var text = String(format: "%.2f", value)
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text == "-0" ? "0" : text
  }

  /// A text for an element's content or an attribute.
  static func escape(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;")
      .replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
  }

  /// A label; `anchor` is `start`, `middle` or `end`.
  static func text(
    _ words: String, x: Double, y: Double, anchor: String = "start", size: Int = 12,
    class names: String = "ink", fill: String = "#6e7781", extra: String = ""
  ) -> String {
    "<text class=\"\(names)\" fill=\"\(fill)\" x=\"\(number(x))\" y=\"\(number(y))\" "
      + "font-size=\"\(size)\" text-anchor=\"\(anchor)\"\(extra)>\(escape(words))</text>\n"
  }

  /// A straight line.
  static func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, class names: String,
    stroke: String = "#808890", extra: String = ""
  ) -> String {
    "<line class=\"\(names)\" stroke=\"\(stroke)\" x1=\"\(number(x1))\" y1=\"\(number(y1))\" "
      + "x2=\"\(number(x2))\" y2=\"\(number(y2))\"\(extra)/>\n"
  }
}
