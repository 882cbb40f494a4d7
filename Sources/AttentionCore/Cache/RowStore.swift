import CAttentionKernels

/// The rows of one layer kind, for all its layers and sequences. One store a kind; caches differ
/// only in which store addresses the rows.
protocol RowStore: AnyObject, Sendable {
  /// Bytes of rows held from the system.
  var allocatedBytes: Int { get }
  /// Bytes of tables, lengths and counts.
  var metadataBytes: Int { get }

  /// The sequences that there is room for.
  var slots: Range<Int> { get }
  /// Readies a slot for a new, empty sequence.
  func open(_ slot: Int) throws(CacheError)
  /// Gives back what a slot holds.
  func close(_ slot: Int)
  /// What is remembered of a slot's sequence.
  func state(of slot: Int) -> SequenceState
  /// Throws where there is no room for `count` more tokens, and changes nothing.
  func checkExtension(_ slot: Int, by count: Int) throws(CacheError)
  /// Makes room for `count` more tokens, which has been checked, and counts them in; the rows are
  /// written afterwards.
  func extend(_ slot: Int, by count: Int)
  /// Throws what truncation to `length` would, and changes nothing.
  func checkTruncation(_ slot: Int, to length: Int) throws(CacheError)
  /// Forgets the tokens from `length` on.
  func truncate(_ slot: Int, to length: Int) throws(CacheError)
  /// Makes the open, empty slot `target` a copy of the first `length` tokens of `slot`.
  func fork(_ slot: Int, into target: Int, at length: Int) throws(CacheError)

  /// Where a row of one token lies; `layer` counts the owners of the kind.
  func address(
    layer: Int, slot: Int, stream: Int, token: Int
  ) -> (key: UnsafeMutableRawPointer, value: UnsafeMutableRawPointer)
  /// The kernel's view of a stream.
  func view(layer: Int, slot: Int, stream: Int) -> attn_stream
}

/// The fields of a kernel view that depend on the layout alone.
struct RowFormat: Sendable {
  let layout: KVLayout
  let keyCodec: any KVCodec
  let valueCodec: any KVCodec
  let keyRowBytes: Int
  let valueRowBytes: Int
  private let keyKernel: CodecKernel
  private let valueKernel: CodecKernel

  init(_ layout: KVLayout) {
    self.layout = layout
    keyCodec = layout.keyCodec
    valueCodec = layout.shape.valueIsKeyPrefix ? keyCodec : layout.valueCodec
    keyRowBytes = layout.keyRowBytes
    valueRowBytes = layout.valueRowBytes
    keyKernel = keyCodec.kernel
    valueKernel = valueCodec.kernel
  }

  /// A view with formats and widths set and addresses empty.
  var view: attn_stream {
    var view = attn_stream()
    view.key_row_bytes = Int64(keyRowBytes)
    view.value_row_bytes = Int64(layout.shape.valueIsKeyPrefix ? keyRowBytes : valueRowBytes)
    view.key_width = Int32(layout.shape.keyWidth)
    view.value_width = Int32(layout.shape.valueWidth)
    view.value_is_key_prefix = layout.shape.valueIsKeyPrefix ? 1 : 0
    view.key_element = keyKernel.element
    view.value_element = valueKernel.element
    view.key_decode = keyKernel.decode
    view.value_decode = valueKernel.decode
    view.key_decode_context = keyKernel.context
    view.value_decode_context = valueKernel.context
    return view
  }

  /// Writes the row of one token.
  func write(
    key: UnsafePointer<Float>, value: UnsafePointer<Float>?,
    to address: (key: UnsafeMutableRawPointer, value: UnsafeMutableRawPointer)
  ) {
    keyCodec.encode(key, width: layout.shape.keyWidth, to: address.key)
    if let value, valueRowBytes > 0 {
      valueCodec.encode(value, width: layout.shape.valueWidth, to: address.value)
    }
  }
}
