import AttentionCore
import AttentionZoo
import ZooMemory

/// What a conversion lost in one layer. A figure that was not measured is absent.
public struct LayerLosses: Sendable, Hashable {
  public var layer: Int
  /// Of the factorisation; nil for grouped targets and readers of another layer's rows.
  public var factors: LayerFactors?
  /// Relative error of attention's results on calibration tokens, given the original's hidden
  /// states: with the RoPE split alone, and with the rank reduced as well.
  public var splitOutputError: Double?
  public var outputError: Double?
  /// Relative error of the evaluation tokens' hidden states after the layer, all converted layers up
  /// to it together.
  public var splitHiddenError: Double?
  public var hiddenError: Double?
  /// Cached bytes a token, in the codecs of source and target.
  public var keyValueBytesBefore = 0
  public var keyValueBytesAfter = 0
  /// Elements of attention's weights.
  public var parametersBefore = 0
  public var parametersAfter = 0

  public init(layer: Int, factors: LayerFactors? = nil) {
    self.layer = layer
    self.factors = factors
  }
}

/// One goal of a conversion under way.
struct ConversionSubject {
  let followsSplit: Bool
  /// In the target's own codecs; conversion measures with rows in float32.
  let targetLayouts: [KVLayout]
  var converter: LayerConverter
  private var caches: RowCaches
  private var splitCaches: RowCaches

  init(
    _ goal: LayerwiseConversion.Goal, source: any LayerSource, compared: [Int], pool: WorkerPool
  ) throws {
    targetLayouts = try goal.target.layouts(for: source.geometry)
    followsSplit = goal.measuresSplit && targetLayouts.contains { $0.shape.valueIsKeyPrefix }
    converter = LayerConverter(
      target: goal.target, layouts: targetLayouts.map(\.inFloat32), options: goal.options,
      pool: pool)
    caches = RowCaches(segments: compared)
    splitCaches = RowCaches(segments: compared)
  }

  func needsMoments(layer: Int) -> Bool {
    let layout = targetLayouts[layer]
    return layout.ownsRows && layout.shape.valueIsKeyPrefix
  }

  /// What a layer's shared RoPE split depends on, for a fold that is measured.
  struct SplitKey: Hashable {
    var ropeWidth: Int
    var reach: Reach
    var options: ConversionOptions
  }

  /// Nil where no fold is measured.
  func splitKey(layer: Int) -> SplitKey? {
    guard case .latent(let shape) = targetLayouts[layer].heads, shape.ropeSlices == 1,
      targetLayouts[layer].ownsRows, converter.options.fold == nil
    else { return nil }
    return SplitKey(
      ropeWidth: shape.ropeWidth, reach: targetLayouts[layer].reach, options: converter.options)
  }

  func scoresPairs(layer: Int) -> Bool {
    guard case .latent(let shape) = targetLayouts[layer].heads else { return false }
    return shape.ropeSlices > 1 && converter.options.method == .calibrated
  }

  /// Layers that read the rows of `module`.
  private func readers(_ module: any AttentionModule) -> [KVLayout] {
    converter.layouts.readers(of: module.layout)
  }

  mutating func measure(_ module: any AttentionModule, _ meter: AttentionMeter) throws -> Double {
    try meter.error(
      of: module, layout: module.layout, readers: readers(module), caches: &caches)
  }

  mutating func measureSplit(_ module: LatentAttention, _ meter: AttentionMeter) throws -> Double {
    try meter.error(
      of: module, layout: module.layout, readers: readers(module), caches: &splitCaches)
  }

  func advance(_ stream: HiddenStream, _ layer: DecoderLayer, _ stopped: () -> Bool) throws {
    try stream.advance(
      layer, layout: layer.attention.layout, readers: readers(layer.attention), stopped: stopped)
  }
}
