import AttentionCore

/// The ideal bytes of a cache by the part of the row: latents and RoPE keys, keys and values.
public struct RowParts: Sendable, Hashable {
  /// Keys of grouped heads.
  public private(set) var keyBytes = 0
  /// Values of grouped heads.
  public private(set) var valueBytes = 0
  /// Latents of latent attention, which serve as key and value.
  public private(set) var latentBytes = 0
  /// RoPE keys of latent attention.
  public private(set) var ropeBytes = 0

  /// The parts of one sequence of `context` tokens.
  /// - Throws: `PlannerError` where a size is out of range or a sum overflows.
  public init(_ plan: KVPlan, context: Int) throws(PlannerError) {
    // No part is larger than the whole, whose sum is checked.
    _ = try plan.idealBytes(context: context)
    for layout in plan.layouts where layout.ownsRows {
      let rows = layout.shape.streams * layout.reach.visibleTokens(context: context)
      if layout.shape.valueIsKeyPrefix {
        let latent = layout.keyCodec.rowBytes(width: layout.shape.valueWidth)
        latentBytes += rows * latent
        ropeBytes += rows * (layout.keyRowBytes - latent)
      } else {
        keyBytes += rows * layout.keyRowBytes
        valueBytes += rows * layout.valueRowBytes
      }
    }
  }
}
