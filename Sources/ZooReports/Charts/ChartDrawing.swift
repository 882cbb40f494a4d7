extension Chart {
  private static let width = 880.0
  private static let height = 480.0
  private static let left = 84.0
  private static let top = 66.0
  private static let bottom = 424.0

  /// Pixels at the right for the labels of lines.
  private var right: Double { joinsPoints ? Self.width - 200 : Self.width - 24 }

  /// The chart as an SVG file: transparent, legible on light and dark, the same bytes for the
  /// same chart. Empty for a chart that ``isDrawable`` says no to.
  public func svg() -> String {
    guard isDrawable else { return "" }
    let points = series.flatMap(\.points)
    let xMap = AxisMap(
      xAxis, values: points.map(\.x), from: Self.left, to: right, room: joinsPoints ? 0.03 : 0.08)
    let yMap = AxisMap(
      yAxis, values: points.map(\.y) + levels.map(\.y), from: Self.bottom, to: Self.top,
      room: 0.07)
    let size = "\(SVG.number(Self.width)) \(SVG.number(Self.height))"
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(size)\" "
      + "width=\"\(SVG.number(Self.width))\" height=\"\(SVG.number(Self.height))\" role=\"img\" "
      + "font-family=\"system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif\">\n"
      + "<title>\(SVG.escape(title))</title>\n<desc>\(SVG.escape(subtitle))</desc>\n"
      + ChartStyle.sheet + frame(xMap, yMap) + levelLines(yMap)
      + series.map { lines(of: $0, xMap, yMap) }.joined()
      + (joinsPoints ? endLabels(xMap, yMap) : pointLabels(xMap, yMap)) + "</svg>\n"
  }

  private func frame(_ xMap: AxisMap, _ yMap: AxisMap) -> String {
    var text = SVG.text(
      title, x: Self.left, y: 26, size: 16, extra: " font-weight=\"600\"")
    text += SVG.text(subtitle, x: Self.left, y: 46, class: "soft")
    for tick in yMap.ticks {
      let y = yMap.pixel(tick)
      text += SVG.line(Self.left, y, right, y, class: "grid", extra: " stroke-opacity=\".25\"")
      text += SVG.text(yMap.text(tick), x: Self.left - 8, y: y + 4, anchor: "end")
    }
    for tick in xMap.ticks {
      let x = xMap.pixel(tick)
      text += SVG.line(x, Self.bottom, x, Self.bottom + 5, class: "axis")
      text += SVG.text(xMap.text(tick), x: x, y: Self.bottom + 20, anchor: "middle")
    }
    text += SVG.line(Self.left, Self.bottom, right, Self.bottom, class: "axis")
    text += SVG.text(
      xAxis.title, x: (Self.left + right) / 2, y: Self.bottom + 42, anchor: "middle", size: 13)
    let middle = (Self.top + Self.bottom) / 2
    text += SVG.text(
      yAxis.title, x: 20, y: middle, anchor: "middle", size: 13,
      extra: " transform=\"rotate(-90 20 \(SVG.number(middle)))\"")
    return text
  }

  private func levelLines(_ yMap: AxisMap) -> String {
    levels.map { level in
      let y = yMap.pixel(level.y)
      return SVG.line(
        Self.left, y, right, y, class: "axis", extra: " stroke-dasharray=\"5 4\"")
        + SVG.text(level.name, x: Self.left + 4, y: y - 6, class: "soft")
    }.joined()
  }

  private func lines(of series: Series, _ xMap: AxisMap, _ yMap: AxisMap) -> String {
    let colour = ChartStyle.colour(series.style)
    let ink = ChartStyle.light[colour]
    let places = series.points.map { (x: xMap.pixel($0.x), y: yMap.pixel($0.y), point: $0) }
    var text = "<g class=\"s\(colour)\" stroke=\"\(ink)\" stroke-width=\"2\" fill=\"none\">\n"
    if joinsPoints {
      for (from, to) in zip(places, places.dropFirst()) {
        let dash = to.point.isPredicted ? " stroke-dasharray=\"3 4\"" : ""
        text += "<path d=\"M\(SVG.number(from.x)) \(SVG.number(from.y))"
        text += "L\(SVG.number(to.x)) \(SVG.number(to.y))\"\(dash)/>\n"
      }
    }
    for place in places {
      let isHollow = place.point.isPredicted
      let path = ChartStyle.marker(series.style, x: place.x, y: place.y, size: 4.5)
      text += "<path\(isHollow ? "" : " class=\"f\(colour)\" fill=\"\(ink)\"") d=\"\(path)\"/>\n"
      if place.point.isEdge {
        let x = SVG.number(place.x + 8)
        text += "<path stroke-width=\"3\" d=\"M\(x) \(SVG.number(place.y - 8))V"
        text += "\(SVG.number(place.y + 8))\"/>\n"
      }
    }
    return text + "</g>\n"
  }

  private func endLabels(_ xMap: AxisMap, _ yMap: AxisMap) -> String {
    let drawn = series.filter { !$0.points.isEmpty }
    let ends = drawn.map { series -> (x: Double, y: Double) in
      let last = series.points[series.points.count - 1]
      return (xMap.pixel(last.x) + (last.isEdge ? 10 : 6), yMap.pixel(last.y))
    }
    let heights = ChartLabels.spread(
      ends.map(\.y), gap: 16, top: Self.top + 4, bottom: Self.bottom - 2)
    var text = ""
    for (index, series) in drawn.enumerated() {
      let colour = ChartStyle.colour(series.style)
      let ink = ChartStyle.light[colour]
      let y = heights[index]
      text += SVG.line(
        ends[index].x, ends[index].y, right + 14, y, class: "s\(colour)", stroke: ink,
        extra: " stroke-opacity=\".45\"")
      let marker = ChartStyle.marker(series.style, x: right + 21, y: y, size: 4)
      text +=
        "<path class=\"s\(colour) f\(colour)\" stroke=\"\(ink)\" stroke-width=\"2\" "
        + "fill=\"\(ink)\" d=\"\(marker)\"/>\n"
      text += SVG.text(series.name, x: right + 31, y: y + 4, class: "f\(colour)", fill: ink)
    }
    return text
  }

  private func pointLabels(_ xMap: AxisMap, _ yMap: AxisMap) -> String {
    let labelled = series.flatMap { series in
      series.points.map { (series: series, x: xMap.pixel($0.x), y: yMap.pixel($0.y)) }
    }
    let boxes = ChartLabels.beside(
      labelled.map { ($0.x, $0.y, $0.series.name) }, lines: levels.map { yMap.pixel($0.y) },
      left: Self.left, right: right)
    var text = ""
    for (label, box) in zip(labelled, boxes) {
      let colour = ChartStyle.colour(label.series.style)
      let isRight = box.left > label.x
      text += SVG.text(
        label.series.name, x: isRight ? box.left : box.left + box.width, y: box.top + 11.5,
        anchor: isRight ? "start" : "end", class: "f\(colour)", fill: ChartStyle.light[colour])
    }
    return text
  }
}
