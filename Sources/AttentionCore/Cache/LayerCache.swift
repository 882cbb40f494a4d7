import CAttentionKernels

/// One layer's side of a `KVCache`: rows go in with `append` and are read through `view`. A layer
/// that shares rows sees its owner's.
public struct LayerCache: Sendable {
  /// The layer's layout.
  public let layout: KVLayout
  private let store: any RowStore
  private let storeLayer: Int
  private let format: RowFormat

  init(layout: KVLayout, store: any RowStore, storeLayer: Int) {
    self.layout = layout
    self.store = store
    self.storeLayer = storeLayer
    format = RowFormat(layout)
  }

  /// Writes the rows of tokens `start ..< start + count` of a sequence, for which `extend` has made
  /// room. A token is encoded as it is written: O(row), no other token is touched.
  ///
  /// - Parameters:
  ///   - keys: `[count][streams × key width]`, token after token `keyStride` elements apart.
  ///   - values: likewise of value width; nil where the value is a prefix of the key.
  public func append(
    sequence: Int, start: Int, count: Int, keys: UnsafePointer<Float>, keyStride: Int,
    values: UnsafePointer<Float>?, valueStride: Int
  ) {
    precondition(layout.ownsRows, "a layer that shares rows appends none")
    let shape = layout.shape
    precondition(
      start >= 0 && count >= 0 && start + count <= store.state(of: sequence).length,
      "rows are appended where `extend` has made room")
    precondition(values != nil || shape.valueIsKeyPrefix, "rows of values are missing")
    for stream in 0..<shape.streams {
      let writer = StreamWriter(
        format: format, store: store, layer: storeLayer, slot: sequence, stream: stream)
      for token in 0..<count {
        writer.write(
          keys + token * keyStride + stream * shape.keyWidth, .keys, token: start + token)
      }
      guard let values, format.values != nil else { continue }
      for token in 0..<count {
        writer.write(
          values + token * valueStride + stream * shape.valueWidth, .values, token: start + token)
      }
    }
  }

  /// Key rows of consecutive tokens as float32, `[tokens][key width]`.
  public func readKeys(
    sequence: Int, stream: Int, tokens: TokenRange, into out: UnsafeMutablePointer<Float>
  ) {
    let reader = StreamWriter(
      format: format, store: store, layer: storeLayer, slot: sequence, stream: stream)
    let quantised = store.state(of: sequence).quantised.keys
    for token in tokens.begin..<tokens.end {
      reader.readKey(
        token, quantised, to: out + (token - tokens.begin) * layout.shape.keyWidth)
    }
  }

  /// Throws where the queries of `entry` would not find the rows that they see.
  func checkQueries(_ entry: BatchPlan.Entry) throws(CacheError) {
    guard store.slots.contains(entry.sequence) else { throw .unknownSequence(entry.sequence) }
    try store.state(of: entry.sequence).checkQueries(
      start: entry.start, count: entry.count, reach: layout.reach)
  }

  /// The kernel's view of one stream of a sequence. Valid until the sequence is released or the
  /// cache goes; the tokens in reach of the next query can be read.
  public func view(sequence: Int, stream: Int) -> StreamView {
    StreamView(raw: store.view(layer: storeLayer, slot: sequence, stream: stream))
  }
}

/// Where the rows of one stream of one sequence lie and how they are stored.
public struct StreamView: @unchecked Sendable {
  /// The C kernel's argument.
  public var raw: attn_stream

  /// A view of rows that lie outside any cache; the caller keeps them alive.
  public init(raw: attn_stream) { self.raw = raw }
}
