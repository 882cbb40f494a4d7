import CAttentionKernels
import ZooMemory

/// Contiguous and ring storage: one block a sequence, `[layer][keys: stream, row | distance | values:
/// stream, row | tails: stream, keys, values]`, the distance as in `CacheFootprint`. In a ring the sinks keep their rows and later tokens wrap
/// behind them. Tails are there where a codec quantises groups of tokens.
final class BlockStore: RowStore, @unchecked Sendable {
  private let format: RowFormat
  private let reservation: RowReservation
  private let plan: CachePlan
  private let layers: Int
  private let layerBytes: Int
  /// Bytes of one stream's keys and values.
  private let keyBytes: Int
  private let valueBytes: Int
  private let valueOffset: Int
  private let tailOffset: Int
  private let template: attn_stream
  private var blocks: [AlignedBuffer?]
  private var states: [SequenceState]

  init(kind: LayerKind, plan: CachePlan) {
    format = RowFormat(kind.layout)
    reservation = RowReservation(kind.layout, plan: plan)
    self.plan = plan
    layers = kind.owners.count
    keyBytes = format.keys.stored.regionBytes(rows: reservation.rows)
    valueBytes = format.values?.stored.regionBytes(rows: reservation.rows) ?? 0
    let streams = kind.layout.shape.streams
    valueOffset = streams * keyBytes + CacheFootprint.valueDistance(kind.layout, reservation)
    tailOffset = valueOffset + streams * valueBytes
    layerBytes = tailOffset + streams * format.tailBytes
    var view = format.view
    view.ring_tokens = Int64(reservation.ringRows)
    view.sink_tokens = Int64(reservation.ringRows > 0 ? reservation.rows - reservation.ringRows : 0)
    template = view
    blocks = Array(repeating: nil, count: plan.sequences)
    states = Array(repeating: SequenceState(kind.layout), count: plan.sequences)
  }

  var allocatedBytes: Int { blocks.reduce(0) { $0 + ($1?.mappedBytes ?? 0) } }
  var slots: Range<Int> { states.indices }
  var metadataBytes: Int { states.count * SequenceState.bytes }

  func open(_ slot: Int) throws(CacheError) {
    states[slot] = SequenceState(format.layout)
    guard blocks[slot] == nil else { return }
    do {
      blocks[slot] = try AlignedBuffer(count: layers * layerBytes)
    } catch {
      throw .outOfMemory(bytes: error.bytes)
    }
  }

  func close(_ slot: Int) {
    blocks[slot] = nil
    states[slot] = SequenceState(format.layout)
  }

  func state(of slot: Int) -> SequenceState { states[slot] }

  func checkExtension(_ slot: Int, by count: Int) throws(CacheError) {
    guard reservation.ringRows == 0 || count <= plan.maxChunk else {
      throw .chunkTooLong(tokens: count, maxChunk: plan.maxChunk)
    }
    try states[slot].checkExtension(by: count)
  }

  func extend(_ slot: Int, by count: Int) {
    let completed = states[slot].extend(by: count)
    if reservation.ringRows > 0 {
      states[slot].firstHeld = max(
        states[slot].firstHeld, states[slot].length - reservation.ringRows)
    }
    quantise(completed, format: format, layers: layers, slot: slot)
  }

  func checkTruncation(_ slot: Int, to length: Int) throws(CacheError) {
    var state = states[slot]
    try state.truncate(to: length, reach: format.layout.reach)
  }

  func truncate(_ slot: Int, to length: Int) throws(CacheError) {
    try states[slot].truncate(to: length, reach: format.layout.reach)
  }

  func fork(_ slot: Int, into target: Int, at length: Int) throws(CacheError) {
    var state = states[slot]
    try state.truncate(to: length, reach: format.layout.reach)
    guard let source = blocks[slot], let copy = blocks[target] else {
      throw .unknownSequence(target)
    }
    // A block that wraps is copied whole; a straight one only as far as it is filled.
    let rows = reservation.ringRows > 0 ? reservation.rows : max(length, 1)
    let filledKeys = format.keys.stored.regionBytes(rows: rows)
    let filledValues = format.values?.stored.regionBytes(rows: rows) ?? 0
    func copyPart(_ offset: Int, _ bytes: Int) {
      (copy.base + offset).copyMemory(from: source.base + offset, byteCount: bytes)
    }
    for layer in 0..<layers {
      for stream in 0..<format.layout.shape.streams {
        copyPart(layer * layerBytes + stream * keyBytes, filledKeys)
        copyPart(layer * layerBytes + valueOffset + stream * valueBytes, filledValues)
        copyPart(layer * layerBytes + tailOffset + stream * format.tailBytes, format.tailBytes)
      }
    }
    states[target] = state
  }

  private func base(layer: Int, slot: Int) -> UnsafeMutableRawPointer {
    guard let block = blocks[slot] else { preconditionFailure("sequence \(slot) is not open") }
    return block.base + layer * layerBytes
  }

  func region(
    _ side: RowSide, layer: Int, slot: Int, stream: Int, token: Int
  ) -> (base: UnsafeMutableRawPointer, row: Int)? {
    var row = token
    let ring = reservation.ringRows
    let sinks = reservation.rows - ring
    if ring > 0, token >= sinks { row = sinks + (token - sinks) % ring }
    let base = base(layer: layer, slot: slot)
    return (
      side == .keys ? base + stream * keyBytes : base + valueOffset + stream * valueBytes, row
    )
  }

  func place(layer: Int, slot: Int, stream: Int) -> StreamPlace {
    let base = base(layer: layer, slot: slot)
    var view = template
    view.keys = UnsafeRawPointer(base + stream * keyBytes)
    view.values = UnsafeRawPointer(base + valueOffset + stream * valueBytes)
    guard format.tailBytes > 0 else { return StreamPlace(view: view) }
    let tails = base + tailOffset + stream * format.tailBytes
    return StreamPlace(
      view: view, keyTail: tails, valueTail: tails + format.keys.stored.tailBytes)
  }
}
