import CAttentionKernels

/// IEEE binary32: rows as computed.
public struct Float32Codec: KVCodec {
  public init() {}
  public var notation: String { "f32" }
  public var summary: String { "IEEE binary32, 4 bytes an element" }
  public var relativeError: Double { 0 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_F32) }
  public func rowBytes(width: Int) -> Int { width * 4 }
  public func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer) {
    bytes.copyMemory(from: row, byteCount: width * 4)
  }
}

/// IEEE binary16, the usual cache format; rounds to nearest even, range ±65,504.
public struct Float16Codec: KVCodec {
  public init() {}
  public var notation: String { "f16" }
  public var summary: String { "IEEE binary16, 2 bytes an element" }
  public var relativeError: Double { 0x1p-11 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_F16) }
  public func rowBytes(width: Int) -> Int { width * 2 }
  public func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer) {
    attn_encode_f16(row, bytes.assumingMemoryBound(to: UInt16.self), Int64(width))
  }
}

/// bfloat16: the range of float32 with 8 bits of precision.
public struct BFloat16Codec: KVCodec {
  public init() {}
  public var notation: String { "bf16" }
  public var summary: String { "bfloat16, 2 bytes an element" }
  public var relativeError: Double { 0x1p-8 }
  public var kernel: CodecKernel { .fused(ATTN_ELEMENT_BF16) }
  public func rowBytes(width: Int) -> Int { width * 2 }
  public func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer) {
    attn_encode_bf16(row, bytes.assumingMemoryBound(to: UInt16.self), Int64(width))
  }
}
