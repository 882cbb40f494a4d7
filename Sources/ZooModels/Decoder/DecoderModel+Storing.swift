import AttentionCore
import AttentionZoo

extension DecoderModel {
  /// Whether `target` is the model's own variant, the codec apart.
  public func isOwn(_ target: Variant) -> Bool {
    let plain = VariantSpec.defaultCodec
    return target.storing(plain) == variant.storing(plain)
  }

  /// The model with its rows in another codec, or in those of `target`: no weight changes.
  ///
  /// - Throws: `NotationError` where `target` is another variant than the model's own.
  public func storingRows(as target: Variant) throws(NotationError) -> DecoderModel {
    guard isOwn(target) else {
      throw NotationError(
        notation: target.notation, reason: "expected the model's own \(variant.notation)")
    }
    let layouts = try target.layouts(for: geometry)
    var changed: [DecoderLayer] = []
    for (layout, layer) in zip(layouts, layers) {
      var copy = layer
      switch layer.attention {
      case let module as MultiHeadAttention:
        copy.attention = MultiHeadAttention(
          layout: layout, query: module.query, key: module.key, value: module.value,
          output: module.output, options: module.options)
      case let module as LatentAttention:
        copy.attention = LatentAttention(
          layout: layout, shape: module.shape, query: module.query, down: module.down,
          keyUp: module.keyUp, valueUp: module.valueUp, output: module.output,
          options: module.options)
      default:
        throw NotationError(
          notation: target.notation, reason: "layer \(layout.layer) has attention of another kind")
      }
      changed.append(copy)
    }
    return DecoderModel(
      geometry: geometry, variant: target, settings: settings, layouts: layouts,
      embedding: embedding, layers: changed, finalNorm: finalNorm, head: untiedHead,
      weightSource: weightSource, weightHash: weightHash)
  }

  /// The model as `target`: only its rows stored otherwise where that is its own variant, else
  /// converted without training.
  ///
  /// - Throws: `NotationError`, `ConversionError`, `LAPACKError`, `OutOfMemory`.
  public func asVariant(_ target: Variant) throws -> DecoderModel {
    isOwn(target) ? try storingRows(as: target) : try converted(to: target)
  }
}
