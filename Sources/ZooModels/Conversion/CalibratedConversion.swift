import AttentionCore
import AttentionZoo
import ZooMemory

extension DecoderModel {
  /// The model as another variant, factorised over calibration tokens; without training.
  /// - Parameters:
  ///   - calibration: token ids, one list a segment of consecutive text.
  ///   - options: nil: calibrated, the fold measured.
  /// - Returns: the model, and what each layer lost.
  /// - Throws: `NotationError`, `ConversionError`, `TokenError`, `CacheError`, `OutOfMemory`.
  public func converted(
    to target: Variant, calibration: [[Int32]], options: ConversionOptions = ConversionOptions(),
    pool: WorkerPool
  ) throws -> (model: DecoderModel, losses: [LayerLosses]) {
    let conversion = try LayerwiseConversion(
      source: layerSource,
      goals: [.init(target: target, options: options, measuresSplit: false)],
      calibration: calibration, evaluation: [], pool: pool)
    let layouts = try target.layouts(for: geometry)
    var converted: [DecoderLayer] = []
    var losses: [LayerLosses] = []
    try conversion.run { index, outcomes in
      var layer = outcomes[0].layer
      layer.attention = layer.attention.placed(layouts[index])
      converted.append(layer)
      losses.append(outcomes[0].losses)
    }
    return (replacing(layers: converted, variant: target, layouts: layouts), losses)
  }
}

extension AttentionModule {
  /// The same weights with the layout of another codec.
  func placed(_ layout: KVLayout) -> any AttentionModule {
    switch self {
    case let module as MultiHeadAttention:
      MultiHeadAttention(
        layout: layout, query: module.query, key: module.key, value: module.value,
        output: module.output, options: module.options)
    case let module as LatentAttention:
      LatentAttention(
        layout: layout, shape: module.shape, query: module.query, queryDown: module.queryDown,
        down: module.down, keyUp: module.keyUp, valueUp: module.valueUp, output: module.output,
        options: module.options)
    default: self
    }
  }
}
