import CAttentionKernels

/// IEEE binary32: rows as computed.
public struct Float32Codec: KVCodec {
  public init() {}
  public var notation: String { "f32" }
  public var summary: String { "IEEE binary32, 4 bytes an element" }
  public var relativeError: Double { 0 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_F32) }
}

/// IEEE binary16, the usual cache format; rounds to nearest even, range ±65,504.
public struct Float16Codec: KVCodec {
  public init() {}
  public var notation: String { "f16" }
  public var summary: String { "IEEE binary16, 2 bytes an element" }
  public var relativeError: Double { 0x1p-11 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_F16) }
}

/// bfloat16: the range of float32 with 8 bits of precision.
public struct BFloat16Codec: KVCodec {
  public init() {}
  public var notation: String { "bf16" }
  public var summary: String { "bfloat16, 2 bytes an element" }
  public var relativeError: Double { 0x1p-8 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_BF16) }
}
