import CAttentionKernels

/// e4m3 (OCP 8-bit floating point, revision 1.0): 4 bits of exponent, 3 of fraction, no scale.
/// Rounds to nearest even; finite values past ±448 are held there, infinities become NaN.
public struct Float8Codec: KVCodec {
  public init() {}
  public var notation: String { "fp8" }
  public var summary: String { "e4m3, 1 byte an element, no scale" }
  public var relativeError: Double { 0x1p-4 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_FP8) }
}
