/// The vocabulary and the merges of a byte-level byte-pair encoding (Sennrich et al., arXiv 1508.07909,
/// over bytes as in GPT-2).
struct BytePairModel: Sendable {
  /// Two neighbours become one token; of all that can merge, the lowest rank goes first.
  struct Merge: Sendable, Hashable {
    var rank: UInt32
    var id: Int32
  }

  /// The token of each single byte; −1 where the vocabulary lacks it.
  let byteIDs: [Int32]
  /// Merges by ``pair(_:_:)``.
  let merges: [UInt64: Merge]
  /// Tokens by their bytes, where a piece that is a token as a whole is never merged.
  let wholePieces: [[UInt8]: Int32]?
  /// What stands for a byte that the vocabulary lacks; nil: nothing does.
  let unknown: Int32?
  /// Whether neighbouring unknown bytes become one token.
  let fusesUnknown: Bool

  static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}

/// Merges the bytes of pieces into tokens, in O(n log n) of the piece's length.
struct PieceMerger {
  private let model: BytePairModel
  private var ids: [Int32] = []
  private var previous: [Int32] = []
  private var next: [Int32] = []
  /// Merges that may be done, the rank in the upper and the place in the lower half; a binary heap
  /// with the smallest first.
  private var heap: [UInt64] = []
  private var known: [[UInt8]: [Int32]] = [:]

  /// Pieces up to this length are remembered, so many of them.
  private static let rememberedLength = 32
  private static let remembered = 1 << 16

  init(_ model: BytePairModel) { self.model = model }

  /// Appends the tokens of one piece.
  mutating func append(_ piece: ArraySlice<UInt8>, to result: inout [Int]) {
    let isShort = piece.count <= Self.rememberedLength
    let key = isShort ? Array(piece) : []
    if isShort, let tokens = known[key] {
      for token in tokens { result.append(Int(token)) }
      return
    }
    if let whole = model.wholePieces?[isShort ? key : Array(piece)] {
      result.append(Int(whole))
      return
    }
    merge(piece)
    var place = ids.isEmpty ? -1 : 0
    var tokens: [Int32] = []
    while place >= 0 {
      tokens.append(ids[place])
      place = Int(next[place])
    }
    for token in tokens { result.append(Int(token)) }
    if isShort, known.count < Self.remembered { known[key] = tokens }
  }

  private mutating func merge(_ piece: ArraySlice<UInt8>) {
    start(piece)
    while let top = popFirst() {
      let place = Int(UInt32(truncatingIfNeeded: top))
      guard ids[place] >= 0, next[place] >= 0 else { continue }
      let right = Int(next[place])
      // A neighbour may have changed since the merge was noted.
      guard let merge = model.merges[BytePairModel.pair(ids[place], ids[right])],
        merge.rank == UInt32(truncatingIfNeeded: top >> 32)
      else { continue }
      ids[place] = merge.id
      ids[right] = -1
      next[place] = next[right]
      if next[right] >= 0 { previous[Int(next[right])] = Int32(place) }
      if previous[place] >= 0 { note(Int(previous[place])) }
      note(place)
    }
  }

  /// Sets the tokens of the single bytes and notes what can merge.
  private mutating func start(_ piece: ArraySlice<UInt8>) {
    ids.removeAll(keepingCapacity: true)
    heap.removeAll(keepingCapacity: true)
    var followsUnknown = false
    for byte in piece {
      let id = model.byteIDs[Int(byte)]
      if id >= 0 {
        ids.append(id)
        followsUnknown = false
      } else if let unknown = model.unknown {
        if !(followsUnknown && model.fusesUnknown) { ids.append(unknown) }
        followsUnknown = true
      }
    }
    let count = Int32(ids.count)
    previous = (0..<count).map { $0 - 1 }
    next = (0..<count).map { $0 + 1 < count ? $0 + 1 : -1 }
    for place in ids.indices { note(place) }
  }

  /// Notes the merge of the token at `place` with the one after it, where there is one.
  private mutating func note(_ place: Int) {
    guard next[place] >= 0,
      let merge = model.merges[BytePairModel.pair(ids[place], ids[Int(next[place])])]
    else { return }
    heap.append(UInt64(merge.rank) << 32 | UInt64(place))
    var child = heap.count - 1
    while child > 0, heap[child] < heap[(child - 1) / 2] {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  private mutating func popFirst() -> UInt64? {
    guard let last = heap.popLast() else { return nil }
    guard let top = heap.first else { return last }
    heap[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child] < heap[least] { least = child }
      if least == parent { return top }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
