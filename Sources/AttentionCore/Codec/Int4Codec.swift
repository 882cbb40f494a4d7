import CAttentionKernels

/// 4-bit integers in groups of 32 along the row: x = s·q + z with scale s and zero z in f16 a group,
/// 20 bytes for 32 elements. Half a step is 1/30 of the group's span.
public struct Int4Codec: KVCodec {
  public init() {}
  public var notation: String { "int4" }
  public var summary: String { "4-bit integers, groups of 32 with an f16 scale and zero" }
  public var relativeError: Double { 1.0 / 15 }
  public var widthMultiple: Int { 2 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_INT4) }
}
