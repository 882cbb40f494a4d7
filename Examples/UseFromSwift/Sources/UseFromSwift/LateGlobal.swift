import AttentionCore

/// `late:G:W`: windows of W tokens in all layers but the last G, which see everything. A value of
/// the reach axis that lives outside the package.
struct LateGlobal: ReachAxisValue {
  static let keyword = "late"
  static let form = "late:G:W"
  static let summary = "windows of W tokens in all layers but the last G"
  static let samples = ["late:1:8", "late:2:16"]

  let globalLayers: Int
  let width: Int

  init(parameters: String?) throws(NotationError) {
    let parts = (parameters ?? "").split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw NotationError(notation: "late:\(parameters ?? "")", reason: "expected \(Self.form)")
    }
    globalLayers = try AxisParameters.positive(parts[0], "G", form: Self.form)
    width = try AxisParameters.positive(parts[1], "W", form: Self.form)
  }

  var notation: String { "late:\(globalLayers):\(width)" }
  var takesSinks: Bool { true }

  func window(ofLayer index: Int, count: Int) -> Int? {
    index < count - globalLayers ? width : nil
  }
}
