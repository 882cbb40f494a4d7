import AttentionCore

extension HFConfig {
  /// The configuration that a grouped variant of `source` is written with: the source's architecture
  /// with the layers' number of key/value heads and their windows. Where a model without windows got
  /// them it is Mistral's if all layers have one, and Qwen2's, with biases of zero, if some do.
  ///
  /// - Throws: `CheckpointError` of kind `unsupported` for sharing, sinks, and layers that differ in
  ///   what the architecture has once for all.
  public static func grouped(
    for source: HFConfig, layouts: [KVLayout]
  ) throws(CheckpointError) -> HFConfig {
    var config = source
    func unsupported(_ layer: Int, _ found: String, _ expected: String) -> CheckpointError {
      CheckpointError(
        kind: .unsupported, file: source.architecture.name, place: "layer \(layer)", found: found,
        expected: expected)
    }
    guard !source.architecture.isLatent, source.native == nil else {
      throw unsupported(0, "a source of latent heads", "a source of grouped heads")
    }
    var width: Int?
    for (index, layout) in layouts.enumerated() {
      guard case .grouped(let heads) = layout.heads else {
        throw unsupported(index, "latent heads", "grouped heads in every layer")
      }
      guard layout.ownsRows else {
        throw unsupported(
          index, "a layer that reads the rows of layer \(layout.owner)",
          "rows in every layer: no published architecture shares them")
      }
      guard layout.reach.sinks == 0 else {
        throw unsupported(index, "sink tokens", "none: no published architecture keeps them")
      }
      guard heads == config.keyValueHeadCount || index == 0 else {
        throw unsupported(
          index, "\(heads) key/value heads", "\(config.keyValueHeadCount) in every layer")
      }
      config.keyValueHeadCount = heads
      guard let window = layout.reach.window else { continue }
      guard width == nil || width == window else {
        throw unsupported(
          index, "a window of \(window) tokens", "\(width ?? 0), as in the other layers")
      }
      width = window
    }
    let windows = layouts.map { $0.reach.window != nil }
    try config.setWindows(width, windows, unsupported)
    return config
  }

  private mutating func setWindows(
    _ width: Int?, _ windows: [Bool],
    _ unsupported: (Int, String, String) -> CheckpointError
  ) throws(CheckpointError) {
    let before = windows.indices.map { window(ofLayer: $0) != nil }
    if architecture.hasLocalRope,
      let changed = windows.indices.first(where: { windows[$0] != before[$0] })
    {
      throw unsupported(
        changed, windows[changed] ? "a window" : "no window",
        "as before, since \(architecture.name) rotates layers with a window by other frequencies")
    }
    slidingWindow = width
    windowLayers = nil
    guard width != nil else { return }
    if windows.allSatisfy({ $0 }) {
      if !architecture.hasSlidingWindow { try become(.mistral, unsupported) }
      return
    }
    if !architecture.listsLayerTypes {
      guard architecture == .llama || architecture == .mistral else {
        throw unsupported(
          windows.firstIndex(of: false) ?? 0, "no window",
          "one in every layer, as \(architecture.name) has them")
      }
      try become(.qwen2, unsupported)
    }
    windowLayers = windows
  }

  /// Takes another architecture of the same mathematics.
  private mutating func become(
    _ other: HFArchitecture, _ unsupported: (Int, String, String) -> CheckpointError
  ) throws(CheckpointError) {
    guard architecture == .llama || architecture == .mistral, !hasMLPBias,
      !hasAttentionBias || other == .qwen2
    else {
      throw unsupported(
        0,
        "a window for \(architecture.name)\(hasAttentionBias || hasMLPBias ? " with biases" : "")",
        "Llama or Mistral without biases")
    }
    architecture = other
    hasAttentionBias = other == .qwen2
  }
}
