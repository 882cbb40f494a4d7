import AttentionCore

extension CheckpointFolder {
  /// The variant that the folder's weights are stored as, with its layouts.
  ///
  /// - Parameter geometry: that of the folder's configuration.
  /// - Throws: `CheckpointError` where sizes that are sound alone have no meaning together.
  func ownLayouts(
    of geometry: ModelGeometry
  ) throws(CheckpointError) -> (variant: Variant, layouts: [KVLayout]) {
    do {
      let variant = try AxisRegistry.standard.variant(geometry.native)
      return (variant, try variant.layouts(for: geometry))
    } catch {
      throw CheckpointError(
        kind: .malformed, file: path + "/" + Self.configFileName, place: "", found: "\(error)",
        expected: "a shape of attention")
    }
  }
}
