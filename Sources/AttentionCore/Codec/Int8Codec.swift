import CAttentionKernels

/// 8-bit integers in groups of 32 along the row, symmetric: x = s·q with a scale s in f16 a group,
/// 34 bytes for 32 elements. Half a step is 1/254 of the largest magnitude of the group.
public struct Int8Codec: KVCodec {
  public init() {}
  public var notation: String { "int8" }
  public var summary: String { "8-bit integers, groups of 32 with an f16 scale" }
  public var relativeError: Double { 1.0 / 254 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_INT8) }
}
