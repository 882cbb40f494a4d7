/// `mha`: a key and a value for every query head (Vaswani et al., arXiv 1706.03762).
public struct MultiHead: HeadAxisValue {
  public static let keyword = "mha"
  public static let form = "mha"
  public static let summary = "multi-head: a key and a value for every query head"
  public static let samples = ["mha"]

  public init(parameters: String?) throws(NotationError) {
    try AxisParameters.none(parameters, form: Self.form)
  }

  public var notation: String { "mha" }

  public func arrangement(for geometry: ModelGeometry) throws(NotationError) -> HeadArrangement {
    .grouped(keyValueHeads: geometry.queryHeads)
  }
}
