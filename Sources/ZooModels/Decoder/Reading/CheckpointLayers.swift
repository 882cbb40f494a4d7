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
  private let tensors: CheckpointTensors
  private let config: HFConfig

  /// - Parameters:
  ///   - name: what lists and result rows call the model.
  ///   - format: how matrices are kept; nil: as stored.
  ///   - pool: shares out the copying.
  /// - Throws: `NotationError` where the configuration has no meaning as a variant; reading throws
  ///   `CheckpointError` for a missing, misshapen or non-finite tensor and `OutOfMemory`.
  public init(
    folder: CheckpointFolder, name: String, format: WeightFormat?, pool: WorkerPool
  ) throws {
    config = folder.config
    geometry = ModelGeometry(config, name: name)
    variant = try AxisRegistry.standard.variant(geometry.native)
    layouts = try variant.layouts(for: geometry)
    settings = DecoderSettings(
      normEpsilon: Float(config.rmsNormEpsilon), ropeTheta: config.rope.theta)
    weightSource = name
    tensors = CheckpointTensors(folder: folder, format: format, pool: pool)
  }

  public var weightHash: String { tensors.hash }

  public func embedding() throws -> WeightMatrix {
    try tensors.matrix(
      LlamaTensorNames.embedding, [config.vocabularySize, config.hiddenSize])
  }

  public func finalNorm() throws -> [Float] {
    try tensors.vector(LlamaTensorNames.finalNorm, config.hiddenSize)
  }

  public func head() throws -> Linear? {
    if config.tiesEmbeddings { return nil }
    return Linear(
      weight: try tensors.matrix(
        LlamaTensorNames.head, [config.vocabularySize, config.hiddenSize]))
  }

  public func layer(_ index: Int) throws -> DecoderLayer {
    let names = LlamaTensorNames.layer(index)
    let rotary = RotaryEmbedding(width: config.headDimension, theta: config.rope.theta)
    return DecoderLayer(
      attentionNorm: try tensors.vector(names.inputNorm, config.hiddenSize),
      attention: MultiHeadAttention(
        layout: layouts[index], query: try linear(names, .query),
        key: try linear(names, .key), value: try linear(names, .value),
        output: try linear(names, .output), options: AttentionOptions(rotary: rotary)),
      mlpNorm: try tensors.vector(names.postAttentionNorm, config.hiddenSize),
      feedForward: .dense(
        GatedMLP(
          gate: try linear(names, .gate), up: try linear(names, .up),
          down: try linear(names, .down))))
  }

  private func linear(
    _ names: LlamaTensorNames.Layer, _ projection: LlamaTensorNames.Projection
  ) throws -> Linear {
    let shape = LlamaTensorNames.shape(of: projection, config: config)
    let weight = try tensors.matrix(names.weight(projection), shape)
    let bias =
      LlamaTensorNames.hasBias(projection, config: config)
      ? try tensors.vector(names.bias(projection), shape[0]) : nil
    return Linear(weight: weight, bias: bias)
  }
}

extension ModelGeometry {
  /// The geometry of a Hugging Face configuration.
  /// - Parameter name: what lists and result rows call the model.
  public init(_ config: HFConfig, name: String) {
    var native =
      config.keyValueHeadCount == config.headCount
      ? "mha" : config.keyValueHeadCount == 1 ? "mqa" : "gqa:\(config.keyValueHeadCount)"
    if let window = config.slidingWindow { native += "/swa:\(window)" }
    self.init(
      name: name, layers: config.layerCount, hidden: config.hiddenSize,
      queryHeads: config.headCount, keyValueHeads: config.keyValueHeadCount,
      headWidth: config.headDimension, mlpWidth: config.intermediateSize,
      vocabulary: config.vocabularySize, tiedEmbeddings: config.tiesEmbeddings,
      maxPositions: config.maximumPositions, native: native)
  }
}
