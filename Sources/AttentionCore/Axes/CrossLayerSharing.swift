/// `cla:F`: of each F layers of the same reach, in order, the first owns the cache and the others
/// read it (Brandon et al., arXiv 2405.12981). Fewer bytes stored, not fewer read.
public struct CrossLayerSharing: SharingAxisValue {
  public static let keyword = "cla"
  public static let form = "cla:F"
  public static let summary =
    "cross-layer sharing: F layers of one reach share the first one's rows"
  public static let samples = ["cla:2", "cla:3"]

  /// Layers that share one cache.
  public let factor: Int

  public init(parameters: String?) throws(NotationError) {
    factor = try AxisParameters.positive(parameters ?? "", "F", form: Self.form)
  }

  public var notation: String { "cla:\(factor)" }

  public func owner(of index: Int, count: Int) -> Int { index - index % factor }

  public func noop(count: Int) -> String? {
    factor == 1 ? "cla:1 shares nothing" : nil
  }
}
