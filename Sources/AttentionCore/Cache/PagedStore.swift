import CAttentionKernels
import ZooMemory

/// Paged storage (vLLM, arXiv 2309.06180): a pool of pages for each layer of the kind, one table a
/// sequence for all of them. Pages are reference-counted, shared by forks and copied on write;
/// pages that no later query of a window layer sees go back to the pool.
///
/// The pool is `[layer][stream][keys: page, row | values: page, row]`, so that the rows of pages that
/// follow each other in the pool follow each other in memory, as they would without pages.
/// Where a codec quantises groups of tokens, pages hold whole groups, and the tails of the sequences,
/// `[slot][layer][stream: keys, values]`, lie behind the pool.
final class PagedStore: RowStore, @unchecked Sendable {
  private let format: RowFormat
  private let reservation: RowReservation
  private let plan: CachePlan
  private let pageTokens: Int
  private let layers: Int
  private let pageBytes: Int
  /// Bytes of one stream's keys and values in a page.
  private let keyBytes: Int
  private let valueBytes: Int
  private let poolPages: Int
  private let pool: AlignedBuffer
  /// `[slot][logical page]` → physical page, −1: none.
  private let tables: AlignedBuffer
  private let table: UnsafeMutablePointer<Int32>
  private var references: [Int32]
  private var freePages: [Int32]
  private var states: [SequenceState]
  private let template: attn_stream

  init(kind: LayerKind, plan: CachePlan, pageTokens: Int) throws(CacheError) {
    format = RowFormat(kind.layout)
    reservation = RowReservation(kind.layout, plan: plan)
    self.plan = plan
    self.pageTokens = pageTokens
    layers = kind.owners.count
    for groupTokens in kind.layout.groupTokens where !pageTokens.isMultiple(of: groupTokens) {
      throw .pageNotWholeGroups(pageTokens: pageTokens, groupTokens: groupTokens)
    }
    keyBytes = format.keys.stored.regionBytes(rows: pageTokens)
    valueBytes = format.values?.stored.regionBytes(rows: pageTokens) ?? 0
    pageBytes = kind.layout.shape.streams * (keyBytes + valueBytes)
    poolPages = plan.sequences * reservation.pages
    guard poolPages <= Int(Int32.max) else {
      throw .outOfMemory(bytes: layers * poolPages * pageBytes)
    }
    do {
      let tails = plan.sequences * layers * kind.layout.shape.streams * format.tailBytes
      pool = try AlignedBuffer(count: layers * poolPages * pageBytes + tails)
      tables = try AlignedBuffer(
        count: plan.sequences * reservation.tableEntries * MemoryLayout<Int32>.stride)
    } catch {
      throw .outOfMemory(bytes: error.bytes)
    }
    table = tables.pointer()
    table.update(repeating: -1, count: plan.sequences * reservation.tableEntries)
    references = Array(repeating: 0, count: poolPages)
    freePages = (0..<Int32(poolPages)).reversed()
    states = Array(repeating: SequenceState(kind.layout), count: plan.sequences)
    var view = format.view
    view.page_tokens = Int64(pageTokens)
    view.key_page_bytes = Int64(keyBytes)
    view.value_page_bytes = Int64(valueBytes)
    template = view
  }

  var allocatedBytes: Int { pool.mappedBytes }
  var slots: Range<Int> { states.indices }

  var metadataBytes: Int {
    states.count * SequenceState.bytes + tables.count
      + 2 * poolPages * MemoryLayout<Int32>.stride
  }

  func open(_ slot: Int) { states[slot] = SequenceState(format.layout) }

  func close(_ slot: Int) {
    for page in 0..<reservation.tableEntries { release(slot, page) }
    states[slot] = SequenceState(format.layout)
  }

  func state(of slot: Int) -> SequenceState { states[slot] }

  func checkExtension(_ slot: Int, by count: Int) throws(CacheError) {
    guard format.layout.reach.window == nil || count <= plan.maxChunk else {
      throw .chunkTooLong(tokens: count, maxChunk: plan.maxChunk)
    }
    try states[slot].checkExtension(by: count)
    var needed = copiesTail(slot, count) ? 1 : 0
    for page in pagesWritten(slot, count) where entry(slot, page) < 0 { needed += 1 }
    var free = freePages.count
    for page in leftBehind(slot) {
      let shared = entry(slot, page)
      if shared >= 0, references[Int(shared)] == 1 { free += 1 }
    }
    guard free >= needed else { throw .outOfPages(pages: poolPages) }
  }

  func extend(_ slot: Int, by count: Int) {
    releaseLeftBehind(slot)
    if copiesTail(slot, count) { copyOnWrite(slot, states[slot].length / pageTokens) }
    // The first page may be missing although tokens precede it there: a window of one token needs
    // none of them.
    for page in pagesWritten(slot, count) where entry(slot, page) < 0 {
      setEntry(slot, page, takePage())
    }
    let completed = states[slot].extend(by: count)
    quantise(completed, format: format, layers: layers, slot: slot)
  }

  /// Pages that the next `count` tokens lie in.
  private func pagesWritten(_ slot: Int, _ count: Int) -> Range<Int> {
    let length = states[slot].length
    let first = length / pageTokens
    return first..<(count == 0 ? first : (length + count - 1) / pageTokens + 1)
  }

  /// Whether the next `count` tokens begin in a page that another sequence holds too.
  private func copiesTail(_ slot: Int, _ count: Int) -> Bool {
    let length = states[slot].length
    guard count > 0, !length.isMultiple(of: pageTokens) else { return false }
    let tail = entry(slot, length / pageTokens)
    return tail >= 0 && references[Int(tail)] > 1
  }

  func checkTruncation(_ slot: Int, to length: Int) throws(CacheError) {
    var state = states[slot]
    try state.truncate(to: length, reach: format.layout.reach)
  }

  func truncate(_ slot: Int, to length: Int) throws(CacheError) {
    let before = states[slot].length
    try states[slot].truncate(to: length, reach: format.layout.reach)
    let firstFree = (length + pageTokens - 1) / pageTokens
    for page in firstFree..<max(firstFree, (before + pageTokens - 1) / pageTokens) {
      release(slot, page)
    }
  }

  func fork(_ slot: Int, into target: Int, at length: Int) throws(CacheError) {
    var state = states[slot]
    try state.truncate(to: length, reach: format.layout.reach)
    for page in 0..<(length + pageTokens - 1) / pageTokens {
      let shared = entry(slot, page)
      if shared >= 0 { references[Int(shared)] += 1 }
      setEntry(target, page, shared)
    }
    for layer in 0..<layers {
      for stream in 0..<format.layout.shape.streams {
        tail(layer: layer, slot: target, stream: stream).copyMemory(
          from: tail(layer: layer, slot: slot, stream: stream), byteCount: format.tailBytes)
      }
    }
    states[target] = state
  }

  /// Pages that no query from the current length on sees and that are not given back yet.
  private func leftBehind(_ slot: Int) -> Range<Int> {
    let reach = format.layout.reach
    let keep = reach.windowStart(at: states[slot].length) / pageTokens
    let sinkPages = (reach.sinks + pageTokens - 1) / pageTokens
    let first = max(sinkPages, states[slot].firstHeld / pageTokens)
    return first..<max(first, keep)
  }

  private func releaseLeftBehind(_ slot: Int) {
    for page in leftBehind(slot) {
      release(slot, page)
      states[slot].firstHeld = (page + 1) * pageTokens
    }
  }

  private func copyOnWrite(_ slot: Int, _ page: Int) {
    let shared = physical(slot, page)
    let own = takePage()
    for layer in 0..<layers {
      for stream in 0..<format.layout.shape.streams {
        for side in [RowSide.keys, .values] {
          let base = region(side, layer: layer, stream: stream)
          let bytes = side == .keys ? keyBytes : valueBytes
          (base + Int(own) * bytes).copyMemory(from: base + shared * bytes, byteCount: bytes)
        }
      }
    }
    references[shared] -= 1
    setEntry(slot, page, own)
  }

  /// A free page with one reference. The caller has checked that there is one.
  private func takePage() -> Int32 {
    let page = freePages.removeLast()
    references[Int(page)] = 1
    return page
  }

  private func release(_ slot: Int, _ page: Int) {
    let shared = entry(slot, page)
    guard shared >= 0 else { return }
    references[Int(shared)] -= 1
    if references[Int(shared)] == 0 { freePages.append(shared) }
    setEntry(slot, page, -1)
  }

  private func entry(_ slot: Int, _ page: Int) -> Int32 {
    table[slot * reservation.tableEntries + page]
  }

  private func setEntry(_ slot: Int, _ page: Int, _ value: Int32) {
    table[slot * reservation.tableEntries + page] = value
  }

  private func physical(_ slot: Int, _ page: Int) -> Int {
    let page = entry(slot, page)
    precondition(page >= 0, "a page that was given back is read")
    return Int(page)
  }

  /// Where the keys or values of a stream begin: those of physical page 0.
  private func region(_ side: RowSide, layer: Int, stream: Int) -> UnsafeMutableRawPointer {
    let streamBytes = poolPages * (keyBytes + valueBytes)
    let base = pool.base + (layer * format.layout.shape.streams + stream) * streamBytes
    return side == .keys ? base : base + poolPages * keyBytes
  }

  private func tail(layer: Int, slot: Int, stream: Int) -> UnsafeMutableRawPointer {
    let streams = format.layout.shape.streams
    return pool.base + layers * poolPages * pageBytes
      + ((slot * layers + layer) * streams + stream) * format.tailBytes
  }

  func region(
    _ side: RowSide, layer: Int, slot: Int, stream: Int, token: Int
  ) -> (base: UnsafeMutableRawPointer, row: Int)? {
    let page = Int(entry(slot, token / pageTokens))
    guard page >= 0 else { return nil }
    let bytes = side == .keys ? keyBytes : valueBytes
    return (
      region(side, layer: layer, stream: stream) + page * bytes, token % pageTokens
    )
  }

  func place(layer: Int, slot: Int, stream: Int) -> StreamPlace {
    var view = template
    view.keys = UnsafeRawPointer(region(.keys, layer: layer, stream: stream))
    view.values = UnsafeRawPointer(region(.values, layer: layer, stream: stream))
    view.page_table = UnsafePointer(table + slot * reservation.tableEntries)
    guard format.tailBytes > 0 else { return StreamPlace(view: view) }
    let tails = tail(layer: layer, slot: slot, stream: stream)
    return StreamPlace(
      view: view, keyTail: tails, valueTail: tails + format.keys.stored.tailBytes)
  }
}
