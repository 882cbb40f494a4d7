/// A chart of lines or points, drawn by ``svg()``.
public struct Chart: Sendable, Hashable {
  /// How an axis maps values to places.
  public enum Scale: Sendable, Hashable {
    /// Equal steps.
    case linear
    /// Equal factors, ticks at powers of two.
    case log2
    /// Equal factors, ticks at 1, 2 and 5 times powers of ten.
    case log10
  }

  /// How an axis names its ticks.
  public enum TickText: Sendable, Hashable {
    /// `0.5`, `1,000`.
    case number
    /// `8k` for 8,192.
    case tokens
    /// `4 KiB`.
    case bytes
  }

  /// An axis.
  public struct Axis: Sendable, Hashable {
    /// What it shows, with the unit.
    public let title: String
    /// How it maps values.
    public let scale: Scale
    /// How it names its ticks.
    public let ticks: TickText

    /// An axis with a title that names the unit.
    public init(_ title: String, _ scale: Scale, _ ticks: TickText = .number) {
      self.title = title
      self.scale = scale
      self.ticks = ticks
    }
  }

  /// A point of a series, in the units of the axes.
  public struct Point: Sendable, Hashable {
    /// Place along the horizontal axis.
    public let x: Double
    /// Place along the vertical axis.
    public let y: Double
    /// Drawn with an open edge mark: the last point before memory ends.
    public let isEdge: Bool
    /// Computed and not measured: drawn with a dashed line before it.
    public let isPredicted: Bool

    /// A point.
    public init(_ x: Double, _ y: Double, isEdge: Bool = false, isPredicted: Bool = false) {
      self.x = x
      self.y = y
      self.isEdge = isEdge
      self.isPredicted = isPredicted
    }
  }

  /// A named line with its points from left to right.
  public struct Series: Sendable, Hashable {
    /// The label.
    public let name: String
    /// Number of its colour and marker.
    public let style: Int
    /// Its points.
    public let points: [Point]

    /// A series; its points are put in order of x.
    public init(name: String, style: Int, points: [Point]) {
      self.name = name
      self.style = style
      self.points = points.sorted { ($0.x, $0.y) < ($1.x, $1.y) }
    }
  }

  /// A horizontal line with a label, such as the reference's quality.
  public struct Level: Sendable, Hashable {
    /// The label.
    public let name: String
    /// Its height.
    public let y: Double

    /// A level.
    public init(name: String, y: Double) {
      self.name = name
      self.y = y
    }
  }

  /// The title.
  public let title: String
  /// A line under the title: machine, unit, how to read it.
  public let subtitle: String
  /// The horizontal axis.
  public let xAxis: Axis
  /// The vertical axis.
  public let yAxis: Axis
  /// The lines.
  public let series: [Series]
  /// Horizontal lines.
  public let levels: [Level]
  /// Whether the points of a series are joined; if not, labels stand beside the points.
  public let joinsPoints: Bool

  /// A chart.
  public init(
    title: String, subtitle: String, xAxis: Axis, yAxis: Axis, series: [Series],
    levels: [Level] = [], joinsPoints: Bool = true
  ) {
    self.title = title
    self.subtitle = subtitle
    self.xAxis = xAxis
    self.yAxis = yAxis
    self.series = series
    self.levels = levels
    self.joinsPoints = joinsPoints
  }

  /// Whether all points can stand on the axes: finite, and positive where the scale is
  /// logarithmic.
  public var isDrawable: Bool {
    let points = series.flatMap(\.points)
    func fits(_ value: Double, _ axis: Axis) -> Bool {
      value.isFinite && (axis.scale == .linear || value > 0)
    }
    return !points.isEmpty
      && points.allSatisfy { fits($0.x, xAxis) && fits($0.y, yAxis) }
      && levels.allSatisfy { fits($0.y, yAxis) }
  }
}
