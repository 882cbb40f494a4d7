extension HFConfig {
  /// The width of the window of a layer, its own token included; nil where it sees all.
  public func window(ofLayer index: Int) -> Int? {
    guard let slidingWindow else { return nil }
    guard let windowLayers else { return slidingWindow }
    return windowLayers[index] ? slidingWindow : nil
  }

  /// Reads the window and the layers that have it.
  mutating func readWindows(_ reader: ConfigReader) throws(CheckpointError) {
    guard architecture.hasSlidingWindow else { return }
    if architecture.hasWindowFlag, try !reader.flag("use_sliding_window", default: false) {
      // Layers that call themselves sliding would have no window to slide.
      if let layers = try Self.listedLayers(reader, count: layerCount), layers.contains(true) {
        throw reader.malformed(
          "use_sliding_window", found: "false beside a layer type \"sliding_attention\"",
          expected: "true")
      }
      return
    }
    var width = architecture.defaults.slidingWindow
    if reader.members["sliding_window"] != nil {
      width = try reader.optionalSize("sliding_window", limit: ConfigReader.Limit.positions)
    }
    guard architecture.listsLayerTypes else {
      slidingWindow = width
      return
    }
    let layers = try windowLayers(reader)
    guard layers.contains(true) else { return }
    guard let width else {
      throw reader.malformed(
        "sliding_window", found: "null", expected: "a width, since there are layers with a window")
    }
    slidingWindow = width
    windowLayers = layers.contains(false) ? layers : nil
  }

  private func windowLayers(_ reader: ConfigReader) throws(CheckpointError) -> [Bool] {
    if let listed = try Self.listedLayers(reader, count: layerCount) { return listed }
    switch architecture.windows {
    case .none, .everyLayer, .everyLayerByFlag:
      return Array(repeating: true, count: layerCount)
    case .listedByFlag:
      let first = try reader.optionalCount("max_window_layers", limit: 1 << 30) ?? 28
      return (0..<layerCount).map { $0 >= first }
    case .alternatingByFlag:
      let end = try reader.optionalCount("max_window_layers", limit: 1 << 30) ?? 28
      return (0..<layerCount).map { ($0 + 1) % 2 != 0 && $0 < end }
    case .listed(let period):
      let every =
        try reader.optionalSize("sliding_window_pattern", limit: ConfigReader.Limit.layers)
        ?? period
      return (0..<layerCount).map { ($0 + 1) % every != 0 }
    }
  }

  /// Which layers `layer_types` gives a window; nil where it is absent.
  private static func listedLayers(
    _ reader: ConfigReader, count: Int
  ) throws(CheckpointError) -> [Bool]? {
    guard let value = reader.value("layer_types") else { return nil }
    guard case .array(let items) = value, items.count == count else {
      throw reader.malformed(
        "layer_types", found: value.summary, expected: "a list of \(count), one a layer")
    }
    var result: [Bool] = []
    for item in items {
      switch item {
      case .string("sliding_attention"): result.append(true)
      case .string("full_attention"): result.append(false)
      default:
        throw reader.malformed(
          "layer_types", found: item.summary,
          expected: "\"full_attention\" or \"sliding_attention\"", kind: .unsupported)
      }
    }
    return result
  }

  /// The keys that say what ``window(ofLayer:)`` does.
  var windowMembers: [String: JSONValue] {
    guard architecture.hasSlidingWindow else { return [:] }
    let layers = (0..<layerCount).map { window(ofLayer: $0) != nil }
    var result: [String: JSONValue] = [
      "sliding_window": slidingWindow.map { .integer($0) } ?? .null
    ]
    if architecture.hasWindowFlag {
      result["use_sliding_window"] = .bool(slidingWindow != nil)
      let first = layers.firstIndex(of: true) ?? layerCount
      result["max_window_layers"] = .integer(first)
    }
    if architecture.listsLayerTypes {
      result["layer_types"] = .array(
        layers.map { .string($0 ? "sliding_attention" : "full_attention") })
    }
    return result
  }
}
