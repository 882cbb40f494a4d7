import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

extension DecoderModel {
  /// Writes the model as a Hugging Face folder at `path`.
  ///
  /// Grouped heads go out as the source's architecture, or as the nearest that has windows; latent
  /// heads as DeepSeek-V3. See Documentation/Exports.md.
  /// - Parameters:
  ///   - source: the configuration that the model was read with: its token ids, its architecture.
  ///     Without it one is made from the geometry.
  /// - Throws: `CheckpointError` of kind `unsupported` for what no published architecture expresses,
  ///   `malformed` where `path` exists and is not an empty folder, `nonFinite` for a weight that is
  ///   not a number; nothing is at `path` then.
  public func write(
    to path: String, options: ExportOptions = ExportOptions(), source: HFConfig? = nil
  ) throws {
    let config = try exportConfig(options: options, source: source)
    let writer = try CheckpointFolderWriter(
      path: path, config: config, dtype: options.dtype ?? format.tensorDType ?? .f32,
      shardBytes: options.shardBytes)
    try writer.write(embedding: embedding)
    for (index, layer) in layers.enumerated() { try writer.write(layer: layer, index: index) }
    try writer.write(
      finalNorm: finalNorm, head: head.weight === embedding ? nil : head)
    try writer.finish()
  }

  /// The configuration that the model is written with.
  public func exportConfig(
    options: ExportOptions = ExportOptions(), source: HFConfig? = nil
  ) throws -> HFConfig {
    let source = source ?? HFConfig(describing: self)
    guard let first = layers.first?.attention as? LatentAttention else {
      return try HFConfig.grouped(for: source, layouts: layouts)
    }
    return try HFConfig.deepseekV3(
      for: source, latent: first.shape, frequencies: first.options.rotary?.frequencies ?? [],
      norm: first.options.latentNorm == nil ? options.latentNorm : .ownNorm)
  }
}

extension HFConfig {
  /// The configuration of a model that was not read from a folder.
  init(describing model: DecoderModel) {
    let geometry = model.geometry
    self.init(
      hiddenSize: geometry.hidden, layerCount: geometry.layers, headCount: geometry.queryHeads,
      keyValueHeadCount: geometry.keyValueHeads, headDimension: geometry.headWidth,
      intermediateSize: geometry.mlpWidth, vocabularySize: geometry.vocabulary,
      maximumPositions: geometry.maxPositions)
    tiesEmbeddings = geometry.tiedEmbeddings
    // The shortest decimal of the float32, so that 1e-5 is written as it was read.
    rmsNormEpsilon = Double("\(model.settings.normEpsilon)") ?? Double(model.settings.normEpsilon)
    rope = HFRope(theta: model.settings.ropeTheta)
  }

  /// The configuration that a grouped variant of `source` is written with: the source's architecture
  /// with the layers' number of key/value heads and their windows, or Mistral's where a model
  /// without windows got one.
  ///
  /// - Throws: `CheckpointError` of kind `unsupported` for sharing, sinks, and layers that differ in
  ///   what the architecture has once for all.
  public static func grouped(
    for source: HFConfig, layouts: [KVLayout]
  ) throws(CheckpointError) -> HFConfig {
    func unsupported(_ layer: Int, _ found: String, _ expected: String) -> CheckpointError {
      CheckpointError(
        kind: .unsupported, file: source.architecture.name, place: "layer \(layer)", found: found,
        expected: expected)
    }
    var config = source
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
      guard layout.reach == layouts[0].reach else {
        throw unsupported(
          index, "a reach of \(layout.reach.window.map { "\($0) tokens" } ?? "all tokens")",
          "that of layer 0")
      }
      config.keyValueHeadCount = heads
    }
    let window = layouts.first?.reach.window
    if window != nil, !config.architecture.hasSlidingWindow { config.architecture = .mistral }
    config.slidingWindow = window
    config.windowLayers = nil
    config.quantisation = nil
    return config
  }
}
