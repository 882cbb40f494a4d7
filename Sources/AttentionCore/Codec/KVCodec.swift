import CAttentionKernels

/// How the elements of a cached row are stored.
///
/// A codec needs row bytes, encode and decode of a tile; the generic kernel then serves it on
/// every axis. A codec with a fused kernel names the kernel's element instead.
public protocol KVCodec: Sendable {
  /// The name in the notation, parameters included: `f16`, `int8c:64`.
  var notation: String { get }
  /// One line for lists.
  var summary: String { get }
  /// Largest relative error of one stored element, for tolerances of tests: half a unit in the
  /// last place for float formats.
  var relativeError: Double { get }
  /// Bytes that one row of `width` elements takes, scales and zero points included.
  func rowBytes(width: Int) -> Int
  /// Writes one row of `width` float32 elements.
  func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer)
  /// The kernel's view of the codec.
  var kernel: CodecKernel { get }
}

/// How the attend kernel reads a codec's rows.
public enum CodecKernel: @unchecked Sendable {
  /// A fused kernel's element.
  case fused(attn_element)
  /// A function that decodes tiles to float32, and the pointer it is given; what the pointer leads
  /// to must live as long as the codec.
  case custom(attn_decode_rows, context: UnsafeRawPointer?)

  var element: Int32 {
    switch self {
    case .fused(let element): Int32(element.rawValue)
    case .custom: Int32(ATTN_ELEMENT_CUSTOM.rawValue)
    }
  }

  var decode: attn_decode_rows? {
    if case .custom(let function, _) = self { function } else { nil }
  }

  var context: UnsafeRawPointer? {
    if case .custom(_, let context) = self { context } else { nil }
  }
}

/// The codecs of a row's two parts: keys and values, or latent and RoPE slice for MLA.
public struct CodecPair: Sendable, Hashable {
  public var first: any KVCodec
  public var second: any KVCodec

  public init(_ first: any KVCodec, _ second: (any KVCodec)? = nil) {
    self.first = first
    self.second = second ?? first
  }

  /// `f16`, or `f16:bf16` where the parts differ.
  public var notation: String {
    first.notation == second.notation
      ? first.notation : "\(first.notation):\(second.notation)"
  }

  public static func == (left: CodecPair, right: CodecPair) -> Bool {
    left.notation == right.notation
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(notation) }
}
