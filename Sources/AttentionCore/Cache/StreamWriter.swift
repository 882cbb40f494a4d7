import CAttentionKernels

/// Writes the rows of one stream of a sequence, and reads single ones.
struct StreamWriter {
  private let format: RowFormat
  private let store: any RowStore
  private let layer: Int
  private let slot: Int
  private let stream: Int
  private let place: StreamPlace

  init(format: RowFormat, store: any RowStore, layer: Int, slot: Int, stream: Int) {
    self.format = format
    self.store = store
    self.layer = layer
    self.slot = slot
    self.stream = stream
    place = store.place(layer: layer, slot: slot, stream: stream)
  }

  /// Writes the row of one token.
  func write(_ row: UnsafePointer<Float>, _ side: RowSide, token: Int) {
    guard let format = format.side(side) else { return }
    format.codec.encode(row, width: format.width, to: address(side, format, token))
  }

  /// Quantises the group that ends before token `end`, from the tail.
  func quantiseGroup(_ side: RowSide, before end: Int) {
    guard let format = format.side(side), let tokens = format.stored.groupTokens,
      let tail = tail(side),
      // Rows that no later query sees may have been given back.
      let region = store.region(side, layer: layer, slot: slot, stream: stream, token: end - tokens)
    else { return }
    attn_encode_group(
      format.element, tail, Int64(format.stored.tailRowBytes), Int64(tokens), Int64(format.width),
      region.base + region.row / tokens * format.stored.groupBytes)
  }

  /// Decodes the key row of one token to float32.
  func readKey(_ token: Int, _ groups: QuantisedGroups, to out: UnsafeMutablePointer<Float>) {
    let format = format.keys
    guard let tokens = groups.groupTokens, token < groups.end else {
      format.codec.decodeRow(
        address(.keys, format, token), token: Int64(token), width: format.width, to: out)
      return
    }
    let region = held(.keys, token)
    attn_decode_group_row(
      format.element, region.base + region.row / tokens * format.stored.groupBytes,
      Int64(region.row % tokens), Int64(format.width), out)
  }

  /// Where the row of a token is as it was first written.
  private func address(
    _ side: RowSide, _ format: RowFormat.Side, _ token: Int
  ) -> UnsafeMutableRawPointer {
    if let tokens = format.stored.groupTokens, let tail = tail(side) {
      return tail + token % tokens * format.stored.tailRowBytes
    }
    let region = held(side, token)
    return region.base + format.stored.offset(row: region.row)
  }

  private func tail(_ side: RowSide) -> UnsafeMutableRawPointer? {
    side == .keys ? place.keyTail : place.valueTail
  }

  private func held(_ side: RowSide, _ token: Int) -> (base: UnsafeMutableRawPointer, row: Int) {
    guard let region = store.region(side, layer: layer, slot: slot, stream: stream, token: token)
    else { preconditionFailure("a row that was given back is used") }
    return region
  }
}
