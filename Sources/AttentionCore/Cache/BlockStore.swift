import CAttentionKernels
import ZooMemory

/// Contiguous and ring storage: one block a sequence, `[layer][keys: stream, row | values: stream,
/// row]`. In a ring the sinks keep their rows and later tokens wrap behind them.
final class BlockStore: RowStore, @unchecked Sendable {
  private let format: RowFormat
  private let reservation: RowReservation
  private let plan: CachePlan
  private let layers: Int
  private let layerBytes: Int
  private let valueOffset: Int
  private let template: attn_stream
  private var blocks: [AlignedBuffer?]
  private var states: [SequenceState]

  init(kind: LayerKind, plan: CachePlan) {
    format = RowFormat(kind.layout)
    reservation = RowReservation(kind.layout, plan: plan)
    self.plan = plan
    layers = kind.owners.count
    let shape = kind.layout.shape
    layerBytes = reservation.rows * kind.layout.rowBytesPerToken
    valueOffset = shape.streams * reservation.rows * format.keyRowBytes
    var view = format.view
    view.ring_tokens = Int64(reservation.ringRows)
    view.sink_tokens = Int64(reservation.ringRows > 0 ? reservation.rows - reservation.ringRows : 0)
    template = view
    blocks = Array(repeating: nil, count: plan.sequences)
    states = Array(repeating: SequenceState(), count: plan.sequences)
  }

  var allocatedBytes: Int { blocks.reduce(0) { $0 + ($1?.mappedBytes ?? 0) } }
  var slots: Range<Int> { states.indices }
  var metadataBytes: Int { states.count * SequenceState.bytes }

  func open(_ slot: Int) throws(CacheError) {
    states[slot] = SequenceState()
    guard blocks[slot] == nil else { return }
    do {
      blocks[slot] = try AlignedBuffer(count: layers * layerBytes)
    } catch {
      throw .outOfMemory(bytes: error.bytes)
    }
  }

  func close(_ slot: Int) {
    blocks[slot] = nil
    states[slot] = SequenceState()
  }

  func state(of slot: Int) -> SequenceState { states[slot] }

  func checkExtension(_ slot: Int, by count: Int) throws(CacheError) {
    guard reservation.ringRows == 0 || count <= plan.maxChunk else {
      throw .chunkTooLong(tokens: count, maxChunk: plan.maxChunk)
    }
  }

  func extend(_ slot: Int, by count: Int) {
    states[slot].length += count
    if reservation.ringRows > 0 {
      states[slot].firstHeld = max(
        states[slot].firstHeld, states[slot].length - reservation.ringRows)
    }
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
    let rows = reservation.ringRows > 0 ? reservation.rows : length
    let shape = format.layout.shape
    for layer in 0..<layers {
      for stream in 0..<shape.streams {
        let key = layer * layerBytes + stream * reservation.rows * format.keyRowBytes
        (copy.base + key).copyMemory(
          from: source.base + key, byteCount: rows * format.keyRowBytes)
        let value =
          layer * layerBytes + valueOffset + stream * reservation.rows * format.valueRowBytes
        (copy.base + value).copyMemory(
          from: source.base + value, byteCount: rows * format.valueRowBytes)
      }
    }
    states[target] = state
  }

  func address(
    layer: Int, slot: Int, stream: Int, token: Int
  ) -> (key: UnsafeMutableRawPointer, value: UnsafeMutableRawPointer) {
    guard let block = blocks[slot] else { preconditionFailure("sequence \(slot) is not open") }
    var row = token
    let ring = reservation.ringRows
    let sinks = reservation.rows - ring
    if ring > 0, token >= sinks { row = sinks + (token - sinks) % ring }
    let base = block.base + layer * layerBytes
    let line = stream * reservation.rows + row
    return (base + line * format.keyRowBytes, base + valueOffset + line * format.valueRowBytes)
  }

  func view(layer: Int, slot: Int, stream: Int) -> attn_stream {
    guard let block = blocks[slot] else { preconditionFailure("sequence \(slot) is not open") }
    var view = template
    let base = block.base + layer * layerBytes
    let line = stream * reservation.rows
    view.keys = UnsafeRawPointer(base + line * format.keyRowBytes)
    view.values = UnsafeRawPointer(base + valueOffset + line * format.valueRowBytes)
    return view
  }
}
