import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Gives the latent layers of a model fitted norms (``FittedNorm``), one layer after another as they are
/// converted: each is fitted on the hidden states that the fitted layers before it give, so that it
/// makes up for what they shifted. Layers come in their order.
///
/// It holds the hidden states of the calibration tokens and, twice, of the evaluation tokens: through
/// the fitted layers, and through the same layers without norms.
public final class BiasFreeFit {
  /// The norms so far, one a layer.
  public private(set) var norms: [FittedNorm] = []
  /// Hidden states of the evaluation tokens through the fitted layers; nil without such tokens.
  public let fitted: HiddenStream?
  /// The same through the layers as they came.
  public let reference: HiddenStream?
  public let runner: DecoderLayerRunner
  private let calibration: HiddenStream

  /// - Parameters:
  ///   - calibration: token ids, one list a segment.
  ///   - evaluation: token ids that the loss is measured on; may be empty.
  ///   - table: the embedding, `[V × D]`.
  /// - Throws: `TokenError`, `OutOfMemory`.
  public init(
    calibration: [[Int32]], evaluation: [[Int32]], table: WeightMatrix, settings: DecoderSettings,
    pool: WorkerPool
  ) throws {
    let runner = try DecoderLayerRunner(pool: pool)
    func stream(_ tokens: [[Int32]]) throws -> HiddenStream {
      try HiddenStream(tokens: tokens, table: table, settings: settings, runner: runner)
    }
    self.runner = runner
    self.calibration = try stream(calibration)
    fitted = evaluation.isEmpty ? nil : try stream(evaluation)
    reference = evaluation.isEmpty ? nil : try stream(evaluation)
  }

  /// The next layer with a fitted norm. A bias of its output, where a conversion puts what the latent
  /// misses of the values' mean, has no place and is dropped; the loss that is measured includes it.
  /// - Throws: `CheckpointError` of kind `unsupported` where the layer cannot do without biases;
  ///   `CacheError`, `OutOfMemory`, `ConversionStopped`.
  public func fit(
    _ layer: DecoderLayer, stopped: () -> Bool = { false }
  ) throws -> DecoderLayer {
    let place = StockLatentAttention.Place(file: "bias-free export", layer: norms.count)
    guard let module = layer.attention as? LatentAttention, module.layout.ownsRows,
      module.options.latentNorm == nil
    else {
      throw place.unsupported(
        "a layer without latents of its own", expected: "converted latent layers")
    }
    for (name, bias) in [("queries", module.query.bias), ("latents", module.down?.bias)]
    where bias?.contains(where: { $0 != 0 }) ?? false {
      throw place.unsupported("a bias of the \(name)", expected: "none")
    }
    var norm = FittedNorm()
    for segment in calibration.segments.indices {
      if stopped() { throw ConversionStopped() }
      let inputs = try calibration.normalised(segment: segment, weight: layer.attentionNorm)
      try norm.look(at: module, inputs: inputs.view, pool: runner.pool)
    }
    var result = layer
    result.attention = try norm.applied(to: module.withoutOutputBias)
    norms.append(norm)
    let layout = module.layout.inFloat32
    try reference?.advance(layer, layout: layout, readers: [], stopped: stopped)
    for stream in [calibration, fitted] {
      try stream?.advance(result, layout: layout, readers: [], stopped: stopped)
    }
    return result
  }
}

extension LatentAttention {
  fileprivate var withoutOutputBias: LatentAttention {
    if output.bias == nil { return self }
    return LatentAttention(
      layout: layout, shape: shape, query: query, queryDown: queryDown, down: down, keyUp: keyUp,
      valueUp: valueUp, output: Linear(weight: output.weight), options: options)
  }
}

extension DecoderModel {
  /// The model with fitted norms in its latent layers, and the norms.
  /// - Parameter calibration: token ids, one list a segment.
  /// - Throws: as ``BiasFreeFit``.
  public func fittingLatentNorms(
    calibration: [[Int32]], pool: WorkerPool
  ) throws -> (model: DecoderModel, norms: [FittedNorm]) {
    let fit = try BiasFreeFit(
      calibration: calibration, evaluation: [], table: embedding, settings: settings, pool: pool)
    let fitted = try layers.map { try fit.fit($0) }
    return (replacing(layers: fitted, variant: variant, layouts: layouts), fit.norms)
  }
}
