/// `gqa:K`: K key/value heads, each read by N ÷ K query heads (Ainslie et al., arXiv 2305.13245).
/// `gqa:1` is multi-query attention and is written `mqa`.
public struct GroupedQuery: HeadAxisValue {
  public static let keyword = "gqa"
  public static let form = "gqa:K"
  public static let summary = "grouped-query: K key/value heads, each read by N/K query heads"
  public static let samples = ["gqa:2", "gqa:4"]

  /// Key/value heads.
  public let keyValueHeads: Int

  public init(parameters: String?) throws(NotationError) {
    keyValueHeads = try AxisParameters.positive(parameters ?? "", "K", form: Self.form)
  }

  public var notation: String { keyValueHeads == 1 ? "mqa" : "gqa:\(keyValueHeads)" }

  public func arrangement(for geometry: ModelGeometry) throws(NotationError) -> HeadArrangement {
    guard keyValueHeads <= geometry.queryHeads,
      geometry.queryHeads.isMultiple(of: keyValueHeads)
    else {
      throw NotationError(
        notation: notation,
        reason:
          "\(geometry.queryHeads) query heads of \(geometry.name) cannot be split among \(keyValueHeads) key/value heads; expected a divisor of \(geometry.queryHeads)"
      )
    }
    return .grouped(keyValueHeads: keyValueHeads)
  }
}
