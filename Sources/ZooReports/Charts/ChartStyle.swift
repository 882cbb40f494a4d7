/// Colours and markers that a reader with any colour vision can tell apart, on white and black.
///
/// A picture may be shown on another background than its colour scheme says, so the colours of
/// both schemes keep a contrast of about 3:1 or more on either. Hues follow Okabe and Ito
/// (*Color Universal Design*, 2008), darkened or lightened to that range.
enum ChartStyle {
  /// Colours for light backgrounds.
  static let light = [
    "#6e7781", "#0072b2", "#d55e00", "#008f68", "#b4558f", "#a87400", "#2b88c0", "#8a5cc2",
    "#c0394b", "#5f8a1f",
  ]
  /// The same hues for dark backgrounds.
  static let dark = [
    "#8b949e", "#2f8fd0", "#e5701f", "#10a37f", "#c96aa5", "#b98a1e", "#4298d2", "#9d78d6",
    "#e05a68", "#75a030",
  ]

  static func colour(_ style: Int) -> Int { style % light.count }

  /// The style sheet; the first rules hold where no scheme is known.
  static var sheet: String {
    func rules(_ colours: [String], ink: String, soft: String) -> String {
      let series = colours.enumerated().map { place, colour in
        ".s\(place){stroke:\(colour)}.f\(place){fill:\(colour)}"
      }
      return ".ink{fill:\(ink)}.soft{fill:\(soft)}.axis{stroke:\(soft)}"
        + ".grid{stroke:#808890;stroke-opacity:.25}" + series.joined()
    }
    return "<style>\n" + rules(light, ink: "#59636e", soft: "#6e7781")
      + "\n@media (prefers-color-scheme: dark){"
      + rules(dark, ink: "#8b949e", soft: "#8b949e") + "}\n</style>\n"
  }

  /// The path of a marker around a place. Ten shapes, moved on by one after every ten
  /// styles, so that colour and shape together tell a hundred apart.
  static func marker(_ style: Int, x: Double, y: Double, size r: Double) -> String {
    func path(_ corners: [(Double, Double)], closed: Bool = true) -> String {
      let text = corners.enumerated().map { index, corner in
        (index == 0 ? "M" : "L") + "\(SVG.number(x + corner.0 * r)) \(SVG.number(y + corner.1 * r))"
      }.joined()
      return text + (closed ? "Z" : "")
    }
    switch shape(style) {
    case 0:
      let radius = SVG.number(r)
      return "M\(SVG.number(x - r)) \(SVG.number(y))a\(radius) \(radius) 0 1 0 "
        + "\(SVG.number(2 * r)) 0a\(radius) \(radius) 0 1 0 \(SVG.number(-2 * r)) 0Z"
    case 1: return path([(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)])
    case 2: return path([(0, -1.2), (1.1, 0.8), (-1.1, 0.8)])
    case 3: return path([(0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)])
    case 4: return path([(0, 1.2), (1.1, -0.8), (-1.1, -0.8)])
    case 5:
      return path([(-1, -1), (1, 1)], closed: false) + path([(-1, 1), (1, -1)], closed: false)
    case 6:
      return path([(-1.2, 0), (1.2, 0)], closed: false)
        + path([(0, -1.2), (0, 1.2)], closed: false)
    case 7:
      let arms = [
        (0, -1.3), (0.4, -0.4), (1.3, 0), (0.4, 0.4), (0, 1.3), (-0.4, 0.4), (-1.3, 0),
        (-0.4, -0.4),
      ]
      return path(arms)
    case 8: return path([(0, -1.15), (1.1, -0.35), (0.7, 0.95), (-0.7, 0.95), (-1.1, -0.35)])
    default: return path([(-1.1, -1), (1.1, 1), (1.1, -1), (-1.1, 1)])
    }
  }

  private static func shape(_ style: Int) -> Int { (style + style / 10) % 10 }
}
