import AttentionCore

/// Three ways in which engines cache latent attention, largest first. DeepSeek-V3 in 2-byte
/// elements: 4,997,120, 132,736 and 70,272 bytes a token.
public struct LatentLadder: Sendable, Hashable {
  /// A key of d_n + d_r and a value of d_v for every query head, as in multi-head attention.
  public let expanded: KVPlan
  /// The latent row, and the latent once more as a value.
  public let latentWithValueCopy: KVPlan
  /// The latent row alone; its first elements are the value.
  public let latent: KVPlan

  /// The ladder of a plan; layers of other heads stay as they are. Nil without a latent layer.
  /// - Throws: `PlannerError` where a size is out of range.
  public init?(_ plan: KVPlan) throws(PlannerError) {
    guard plan.layouts.contains(where: \.shape.valueIsKeyPrefix) else { return nil }
    latent = plan
    latentWithValueCopy = try KVPlan(
      layouts: plan.layouts.map { layout in
        guard layout.shape.valueIsKeyPrefix else { return layout }
        var shape = layout.shape
        shape.valueIsKeyPrefix = false
        return layout.storing(shape)
      })
    expanded = try KVPlan(
      layouts: plan.layouts.map { layout in
        guard case .latent(let heads) = layout.heads else { return layout }
        let shape = layout.shape
        return layout.storing(
          RowShape(
            streams: shape.streams * shape.queryHeadsPerStream, keyWidth: heads.headWidth,
            valueWidth: heads.valueWidth, valueIsKeyPrefix: false, queryHeadsPerStream: 1))
      })
  }
}

extension KVLayout {
  /// The layout with other rows, stored whole in the codec of the row's first part.
  fileprivate func storing(_ shape: RowShape) -> KVLayout {
    KVLayout(
      layer: layer, owner: owner, heads: heads, shape: shape, reach: reach,
      codec: CodecPair(codec.first))
  }
}
