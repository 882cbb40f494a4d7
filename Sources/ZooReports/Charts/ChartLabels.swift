/// Places for labels so that none covers another.
enum ChartLabels {
  /// Moves heights apart by at least `gap` within `top ... bottom`, keeping their order.
  ///
  /// - Returns: A height for each wanted one, in the same order.
  static func spread(_ wanted: [Double], gap: Double, top: Double, bottom: Double) -> [Double] {
    let order = wanted.indices.sorted { (wanted[$0], $0) < (wanted[$1], $1) }
    var placed = Array(repeating: 0.0, count: wanted.count)
    var last = top - gap
    for index in order {
      placed[index] = max(wanted[index], last + gap)
      last = placed[index]
    }
    var next = bottom + gap
    for index in order.reversed() {
      placed[index] = min(placed[index], next - gap)
      next = placed[index]
    }
    return placed
  }

  /// A text box beside a point.
  struct Box: Sendable {
    var left: Double
    var top: Double
    var width: Double
    var height = 15.0

    func overlaps(_ other: Box) -> Bool {
      left < other.left + other.width && other.left < left + width
        && top < other.top + other.height && other.top < top + height
    }
  }

  /// About the width of a text at 12 pixels.
  static func width(_ text: String) -> Double { Double(text.count) * 7.2 }

  /// Boxes beside points (right, else left, then further up and down), each clear of the boxes
  /// before it, of all points and of horizontal lines.
  static func beside(
    _ points: [(x: Double, y: Double, text: String)], lines: [Double], left: Double, right: Double
  ) -> [Box] {
    let marks = points.map { Box(left: $0.x - 6, top: $0.y - 7.5, width: 12) }
    let levels = lines.map { Box(left: left, top: $0 - 1, width: right - left, height: 2) }
    var placed: [Box] = []
    for (index, point) in points.enumerated() {
      let width = width(point.text)
      var best = Box(left: point.x + 10, top: point.y - 7.5, width: width)
      search: for lift in [0.0, -14, 14, -26, 26, -38, 38] {
        for isRight in [true, false] {
          let box = Box(
            left: isRight ? point.x + 10 : point.x - 10 - width, top: point.y - 7.5 + lift,
            width: width)
          let isInside = box.left >= left && box.left + box.width <= right
          let others = marks.enumerated().filter { $0.offset != index }.map(\.element)
          if isInside, !(placed + others + levels).contains(where: { $0.overlaps(box) }) {
            best = box
            break search
          }
        }
      }
      placed.append(best)
    }
    return placed
  }
}
