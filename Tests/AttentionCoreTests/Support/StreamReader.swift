import AttentionCore
import CAttentionKernels

/// Reads rows through the fields of a stream view, as the contract of `attn_stream` says and without
/// the library's own addressing: what an engine's kernel would see.
struct StreamReader {
  private let stream: attn_stream

  init(_ view: StreamView) { stream = view.raw }

  var isRing: Bool { stream.ring_tokens > 0 }

  /// Physical page of `token`, −1: given back; nil without pages.
  func page(of token: Int) -> Int? {
    stream.page_table.map { Int($0[token / Int(stream.page_tokens)]) }
  }

  func key(_ token: Int) -> [Float] {
    row(
      token, base: stream.keys, rowBytes: stream.key_row_bytes, pageBytes: stream.key_page_bytes,
      width: stream.key_width,
      element: stream.key_element, decode: stream.key_decode, context: stream.key_decode_context)
  }

  func value(_ token: Int) -> [Float] {
    if stream.value_is_key_prefix != 0 { return Array(key(token)[..<Int(stream.value_width)]) }
    return row(
      token, base: stream.values, rowBytes: stream.value_row_bytes,
      pageBytes: stream.value_page_bytes, width: stream.value_width,
      element: stream.value_element, decode: stream.value_decode,
      context: stream.value_decode_context)
  }

  private func row(
    _ token: Int, base: UnsafeRawPointer, rowBytes: Int64, pageBytes: Int64, width: Int32,
    element: Int32,
    decode: attn_decode_rows?, context: UnsafeRawPointer?
  ) -> [Float] {
    let bytes = base + offset(token, rowBytes: Int(rowBytes), pageBytes: Int(pageBytes))
    func half(_ index: Int) -> UInt16 {
      bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
    }
    switch element {
    case Int32(ATTN_ELEMENT_F32.rawValue):
      return (0..<Int(width)).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    case Int32(ATTN_ELEMENT_F16.rawValue):
      return (0..<Int(width)).map { Self.binary16(half($0)) }
    case Int32(ATTN_ELEMENT_BF16.rawValue):
      return (0..<Int(width)).map { Float(bitPattern: UInt32(half($0)) << 16) }
    default:
      return Array(unsafeUninitializedCapacity: Int(width)) { buffer, count in
        decode?(context, bytes, rowBytes, Int64(token), 1, width, buffer.baseAddress)
        count = Int(width)
      }
    }
  }

  private func offset(_ token: Int, rowBytes: Int, pageBytes: Int) -> Int {
    if let page = page(of: token) {
      return page * pageBytes + token % Int(stream.page_tokens) * rowBytes
    }
    let sinks = Int(stream.sink_tokens)
    guard isRing, token >= sinks else { return token * rowBytes }
    return (sinks + (token - sinks) % Int(stream.ring_tokens)) * rowBytes
  }

  /// IEEE binary16 by its definition.
  static func binary16(_ bits: UInt16) -> Float {
    let sign: Float = bits >> 15 == 0 ? 1 : -1
    let exponent = Int(bits >> 10 & 31)
    let fraction = Float(bits & 1023)
    switch exponent {
    case 0: return sign * fraction * 0x1p-24
    case 31: return fraction == 0 ? sign * .infinity : .nan
    default:
      return sign * (1 + fraction / 1024)
        * Float(sign: .plus, exponent: exponent - 15, significand: 1)
    }
  }
}
