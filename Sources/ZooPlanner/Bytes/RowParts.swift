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
      func bytes(_ rows: StoredRows?) -> Int {
        layout.shape.streams * (rows?.visibleBytes(context: context, reach: layout.reach) ?? 0)
      }
      if layout.shape.valueIsKeyPrefix {
        let latent = StoredRows(layout.latentCodec, width: layout.shape.valueWidth)
        latentBytes += bytes(latent)
        ropeBytes += bytes(layout.keys) - bytes(latent)
      } else {
        keyBytes += bytes(layout.keys)
        valueBytes += bytes(layout.values)
      }
    }
  }
}
