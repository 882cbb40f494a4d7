import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// A Hugging Face folder read layer by layer, as its own variant.
///
/// Every tensor is checked for its shape and for finite values when it is read, and its bytes are
/// hashed, so that ``weightHash`` names the weights once all layers have been read.
public final class CheckpointLayers: LayerSource {
  public let geometry: ModelGeometry
  public let variant: Variant
  public let settings: DecoderSettings
  public let layouts: [KVLayout]
  public let weightSource: String
  let tensors: CheckpointTensors
  let config: HFConfig

  /// - Parameters:
  ///   - name: what lists and result rows call the model.
  ///   - format: how matrices are kept; nil: as stored, decoded 8- and 4-bit floats as bfloat16.
  ///   - pool: shares out the copying.
  /// - Throws: `CheckpointError` where the configuration has no meaning as a variant; reading throws
  ///   it for a missing, misshapen or non-finite tensor, and `OutOfMemory`.
  public init(
    folder: CheckpointFolder, name: String, format: WeightFormat?, pool: WorkerPool
  ) throws {
    config = folder.config
    geometry = ModelGeometry(config, name: name)
    (variant, layouts) = try config.ownLayouts(
      of: geometry, file: folder.path + "/" + CheckpointFolder.configFileName)
    settings = DecoderSettings(config)
    weightSource = name
    tensors = CheckpointTensors(folder: folder, format: format, pool: pool)
  }

  public var weightHash: String { tensors.hash }

  public func embedding() throws -> WeightMatrix {
    try tensors.matrix(
      LlamaTensorNames.embedding, [config.vocabularySize, config.hiddenSize])
  }

  public func finalNorm() throws -> [Float] { try norm(LlamaTensorNames.finalNorm) }

  public func head() throws -> Linear? {
    if config.tiesEmbeddings { return nil }
    return Linear(
      weight: try tensors.matrix(
        LlamaTensorNames.head, [config.vocabularySize, config.hiddenSize]))
  }

  public func layer(_ index: Int) throws -> DecoderLayer {
    let names = LlamaTensorNames.layer(index)
    let attention =
      config.native != nil
      ? try nativeAttention(layouts[index])
      : config.architecture.isLatent
        ? try latentAttention(layouts[index]) : try groupedAttention(layouts[index])
    let feedForward = try feedForward(index)
    guard config.architecture.isGemma else {
      return DecoderLayer(
        attentionNorm: try norm(names.inputNorm), attention: attention,
        mlpNorm: try norm(names.postAttentionNorm), feedForward: feedForward)
    }
    return DecoderLayer(
      attentionNorm: try norm(names.inputNorm), attention: attention,
      attentionOutputNorm: try norm(names.postAttentionNorm),
      mlpNorm: try norm(names.preFeedForwardNorm), feedForward: feedForward,
      mlpOutputNorm: try norm(names.postFeedForwardNorm))
  }

  /// A norm's weight as it multiplies: Gemma stores what is added to 1.
  func norm(_ name: String, width: Int? = nil) throws -> [Float] {
    let weight = try tensors.vector(name, width ?? config.hiddenSize)
    return config.architecture.isGemma ? weight.map { 1 + $0 } : weight
  }

  func projection(
    _ names: LlamaTensorNames.Layer, _ projection: LlamaTensorNames.Projection
  ) throws -> Linear {
    let weight = names.weight(projection)
    return try tensors.linear(
      String(weight.dropLast(".weight".count)),
      LlamaTensorNames.shape(of: projection, config: config),
      bias: LlamaTensorNames.hasBias(projection, config: config))
  }

  private func feedForward(_ index: Int) throws -> FeedForward {
    if let mixture = config.mixture, let kind = config.architecture.mixture,
      mixture.isIn(layer: index)
    {
      return .mixture(
        try experts(mixture, names: ExpertTensorNames(layer: index, kind: kind)))
    }
    let names = LlamaTensorNames.layer(index)
    return .dense(
      GatedMLP(
        gate: try projection(names, .gate), up: try projection(names, .up),
        down: try projection(names, .down),
        activation: config.architecture.isGemma ? .geluTanh : .silu))
  }
}

extension DecoderSettings {
  /// The settings of a Hugging Face configuration.
  init(_ config: HFConfig) {
    self.init(normEpsilon: Float(config.rmsNormEpsilon), ropeTheta: config.rope.theta)
    if config.architecture.isGemma {
      embeddingScale = Float(Double(config.hiddenSize).squareRoot())
    }
    logitSoftCap = config.logitSoftCap.map { Float($0) } ?? 0
  }
}
