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
  /// written afterwards. Quantises the group of tokens before them where they begin another.
  func extend(_ slot: Int, by count: Int)
  /// Throws what truncation to `length` would, and changes nothing.
  func checkTruncation(_ slot: Int, to length: Int) throws(CacheError)
  /// Forgets the tokens from `length` on.
  func truncate(_ slot: Int, to length: Int) throws(CacheError)
  /// Makes the open, empty slot `target` a copy of the first `length` tokens of `slot`.
  func fork(_ slot: Int, into target: Int, at length: Int) throws(CacheError)

  /// Where the rows of a stream lie; `layer` counts the owners of the kind.
  func place(layer: Int, slot: Int, stream: Int) -> StreamPlace
  /// Where rows are quantised in groups: the region that holds `token` and the token's row in it;
  /// nil where the store gave it back.
  func region(
    _ side: RowSide, layer: Int, slot: Int, stream: Int, token: Int
  ) -> (base: UnsafeMutableRawPointer, row: Int)?
}

/// Keys or values.
enum RowSide: Int, Sendable {
  case keys
  case values
}

/// Where a stream of a sequence lies: the kernel's view of it, and the tails of rows that are not
/// quantised yet.
struct StreamPlace {
  var view: attn_stream
  var keyTail: UnsafeMutableRawPointer?
  var valueTail: UnsafeMutableRawPointer?
}

/// How keys and values of a layer kind are stored. A class, so that handing it on copies nothing.
final class RowFormat: Sendable {
  /// One of them.
  struct Side: Sendable {
    let codec: any KVCodec
    let width: Int
    let stored: StoredRows
    let element: Int32

    init(_ codec: any KVCodec, width: Int, stored: StoredRows) {
      self.codec = codec
      self.width = width
      self.stored = stored
      element = codec.kernel.element
    }

    /// The kernel's view of groups whose tail lies at `tail`, before the first token is known.
    var groups: attn_groups {
      guard let tokens = stored.groupTokens else { return attn_groups() }
      return attn_groups(
        tokens: Int64(tokens), bytes: Int64(stored.groupBytes), tail: nil, tail_begin: 0,
        tail_row_bytes: Int64(stored.tailRowBytes))
    }
  }

  let layout: KVLayout
  let keys: Side
  /// Nil where the value is a prefix of the key.
  let values: Side?

  init(_ layout: KVLayout) {
    self.layout = layout
    keys = Side(layout.keyCodec, width: layout.shape.keyWidth, stored: layout.keys)
    values = layout.values.map {
      Side(layout.valueCodec, width: layout.shape.valueWidth, stored: $0)
    }
  }

  func side(_ side: RowSide) -> Side? { side == .keys ? keys : values }

  /// Bytes of the tails of one stream: keys, then values.
  var tailBytes: Int { keys.stored.tailBytes + (values?.stored.tailBytes ?? 0) }

  /// A view with formats and widths set and addresses empty.
  var view: attn_stream {
    let second = values ?? keys
    var view = attn_stream()
    view.key_row_bytes = Int64(keys.stored.rowBytes)
    view.value_row_bytes = Int64(second.stored.rowBytes)
    view.key_width = Int32(layout.shape.keyWidth)
    view.value_width = Int32(layout.shape.valueWidth)
    view.value_is_key_prefix = layout.shape.valueIsKeyPrefix ? 1 : 0
    view.key_element = keys.element
    view.value_element = second.element
    view.key_groups = keys.groups
    view.value_groups = second.groups
    view.key_decode = keys.codec.kernel.decode
    view.value_decode = second.codec.kernel.decode
    view.key_decode_context = keys.codec.kernel.context
    view.value_decode_context = second.codec.kernel.context
    return view
  }
}

extension RowStore {
  /// Quantises the groups that an extension has completed, in all layers.
  func quantise(
    _ completed: (keys: Bool, values: Bool), format: RowFormat, layers: Int, slot: Int
  ) {
    guard completed.keys || completed.values else { return }
    let quantised = state(of: slot).quantised
    for layer in 0..<layers {
      for stream in 0..<format.layout.shape.streams {
        let writer = StreamWriter(
          format: format, store: self, layer: layer, slot: slot, stream: stream)
        if completed.keys { writer.quantiseGroup(.keys, before: quantised.keys.end) }
        if completed.values { writer.quantiseGroup(.values, before: quantised.values.end) }
      }
    }
  }

  /// The kernel's view of a stream, tails included.
  func view(layer: Int, slot: Int, stream: Int) -> attn_stream {
    let place = place(layer: layer, slot: slot, stream: stream)
    guard place.keyTail != nil || place.valueTail != nil else { return place.view }
    let quantised = state(of: slot).quantised
    var view = place.view
    view.key_groups.tail = UnsafeRawPointer(place.keyTail)
    view.key_groups.tail_begin = Int64(quantised.keys.end)
    if view.value_is_key_prefix != 0 {
      view.value_groups = view.key_groups
    } else {
      view.value_groups.tail = UnsafeRawPointer(place.valueTail)
      view.value_groups.tail_begin = Int64(quantised.values.end)
    }
    return view
  }
}
