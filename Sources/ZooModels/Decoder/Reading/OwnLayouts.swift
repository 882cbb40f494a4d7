import AttentionCore

extension HFConfig {
  /// The variant that a folder's weights are stored as, with its layouts.
  ///
  /// - Parameters:
  ///   - geometry: that of this configuration.
  ///   - file: the configuration's path, which errors name.
  /// - Throws: `CheckpointError` where sizes that are sound alone have no meaning together.
  public func ownLayouts(
    of geometry: ModelGeometry, file: String
  ) throws(CheckpointError) -> (variant: Variant, layouts: [KVLayout]) {
    let (variant, layouts): (Variant, [KVLayout])
    do throws(NotationError) {
      variant = try AxisRegistry.standard.variant(geometry.native)
      layouts = try variant.layouts(for: geometry)
    } catch {
      throw CheckpointError(
        kind: .malformed, file: file, place: native == nil ? "" : HFNativeAttention.variantPlace,
        found: "\(error)", expected: "a variant that fits the model")
    }
    try native?.check(layouts, file: file)
    return (variant, layouts)
  }
}
