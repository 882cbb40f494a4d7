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
    let config = try exportConfig(source: source)
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
  public func exportConfig(source: HFConfig? = nil) throws -> HFConfig {
    let source = source ?? HFConfig(describing: self)
    guard let first = layers.first?.attention as? LatentAttention else {
      return try HFConfig.grouped(for: source, layouts: layouts)
    }
    var config = try HFConfig.deepseekV3(
      for: source, latent: first.shape, frequencies: first.options.rotary?.frequencies ?? [],
      norm: first.options.latentNorm == nil ? .constantChannel : .ownNorm,
      queryBias: layers.contains {
        ($0.attention as? LatentAttention)?.query.bias?.contains { $0 != 0 } ?? false
      })
    if let own = first.queryDown { config.queryLatentRank = own.linear.outputs }
    if first.options.latentNorm != nil {
      // A model with norms of its own may have biases, too.
      config.hasAttentionBias = layers.contains { layer in
        guard let module = layer.attention as? LatentAttention else { return false }
        return [module.queryDown?.linear.bias, module.down?.bias, module.output.bias]
          .contains { $0?.contains { $0 != 0 } ?? false }
      }
    }
    return config
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
}
