import CAttentionKernels

/// How the elements of a cached row are stored.
///
/// A codec needs row bytes, encode and decode of a tile; the generic kernel then serves it on
/// every axis. A codec with a fused kernel names the kernel's element instead, which brings row
/// bytes and encode with it.
public protocol KVCodec: Sendable {
  /// The name in the notation, parameters included: `f16`, `int8c:64`.
  var notation: String { get }
  /// One line for lists.
  var summary: String { get }
  /// Largest error of one stored element, for tolerances of tests, relative to the largest
  /// magnitude that shares its scale: half a unit in the last place for float formats.
  var relativeError: Double { get }
  /// Rows have a multiple of so many elements.
  var widthMultiple: Int { get }
  /// Bytes that one row of `width` elements takes, scales and zero points included; those that a
  /// group of tokens shares are left out.
  func rowBytes(width: Int) -> Int
  /// Writes one row of `width` float32 elements; of a codec per channel, as rows of the tail are.
  func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer)
  /// The kernel's view of the codec.
  var kernel: CodecKernel { get }
}

extension KVCodec {
  public var widthMultiple: Int { 1 }

  public func rowBytes(width: Int) -> Int {
    Int(attn_row_bytes(kernel.element, Int64(width)))
  }

  public func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer) {
    attn_encode_row(kernel.rowElement, row, Int64(width), bytes)
  }
}

/// How the attend kernel reads a codec's rows.
public enum CodecKernel: @unchecked Sendable {
  /// A fused kernel's element.
  case fused(attn_element)
  /// An element whose groups of `tokens` tokens are quantised per channel, behind a tail in f16.
  case perChannel(attn_element, tokens: Int)
  /// A function that decodes tiles to float32, and the pointer it is given; what the pointer leads
  /// to must live as long as the codec.
  case custom(attn_decode_rows, context: UnsafeRawPointer?)

  /// Tokens that are quantised together; nil where rows stand alone.
  public var groupTokens: Int? {
    if case .perChannel(_, let tokens) = self { tokens } else { nil }
  }

  var element: Int32 {
    switch self {
    case .fused(let element), .perChannel(let element, _): Int32(element.rawValue)
    case .custom: Int32(ATTN_ELEMENT_CUSTOM.rawValue)
    }
  }

  /// The element of a row as it is first written.
  var rowElement: Int32 {
    if case .perChannel = self { Int32(ATTN_ELEMENT_F16.rawValue) } else { element }
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
