import CAttentionKernels

/// IEEE binary16 and bfloat16, held as bits and converted in C, so that no conversion becomes a
/// run-time call on processors without the instructions. Rounding is to nearest even.
public enum HalfFormat: Sendable {
  case float16
  case bfloat16

  /// Rounds `count` float32 values to 16-bit patterns.
  public func encode(
    _ input: UnsafePointer<Float>, to output: UnsafeMutablePointer<UInt16>, count: Int
  ) {
    switch self {
    case .float16: attn_encode_f16(input, output, Int64(count))
    case .bfloat16: attn_encode_bf16(input, output, Int64(count))
    }
  }

  /// Widens `count` 16-bit patterns to float32, exactly.
  public func decode(
    _ input: UnsafePointer<UInt16>, to output: UnsafeMutablePointer<Float>, count: Int
  ) {
    switch self {
    case .float16: attn_decode_f16(input, output, Int64(count))
    case .bfloat16: attn_decode_bf16(input, output, Int64(count))
    }
  }

  /// `value` rounded to the format and widened again.
  public func rounded(_ value: Float) -> Float {
    var bits: UInt16 = 0
    var result: Float = 0
    withUnsafePointer(to: value) { encode($0, to: &bits, count: 1) }
    decode(&bits, to: &result, count: 1)
    return result
  }
}
