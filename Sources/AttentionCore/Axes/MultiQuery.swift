/// `mqa`: one key and one value for all query heads (Shazeer, arXiv 1911.02150).
public struct MultiQuery: HeadAxisValue {
  public static let keyword = "mqa"
  public static let form = "mqa"
  public static let summary = "multi-query: one key and one value for all query heads"
  public static let samples = ["mqa"]

  public init(parameters: String?) throws(NotationError) {
    try AxisParameters.none(parameters, form: Self.form)
  }

  public var notation: String { "mqa" }

  public func arrangement(for geometry: ModelGeometry) throws(NotationError) -> HeadArrangement {
    .grouped(keyValueHeads: 1)
  }
}
