import CAttentionKernels

/// Query rows of one stream: all heads of its group for a block of an entry's tokens.
struct AttendBlock {
  /// Index into the plan's entries.
  var entry: Int
  var stream: Int
  /// First token of the block within the entry, and tokens of the block.
  var firstToken: Int
  var tokens: Int
  /// The block's units in the schedule.
  var units: Range<Int> = 0..<0
}

/// One piece of work: a block over some of the tokens that it sees.
struct AttendUnit {
  var block: Int
  /// Up to two ranges: sinks, then window.
  var ranges: (attn_range, attn_range)
  var rangeCount: Int
  /// Where the partial result of a split block goes; nil for the only unit of a block.
  var partial: Int?
}

/// Cuts a call into units by cost. The cut depends on shapes and thread count only, never on who
/// runs what, so that a run repeats bit for bit.
struct AttendSchedule {
  private(set) var blocks: [AttendBlock] = []
  private(set) var units: [AttendUnit] = []
  /// Partial results that wait for their block's other units.
  private(set) var partials = 0

  /// Query rows of a block at prefill: enough to reuse a widened tile, few enough for the cache.
  static let blockRows = 128
  /// A range is cut at multiples of so many tokens.
  static let grain = 64
  /// Below this cost, about bytes, a unit is not worth handing to another thread.
  static let smallestUnit = 64 << 10

  /// Units a thread that the shared counter balances with.
  static let unitsPerThread = 4

  /// The most partial results of a schedule: units are cut to a share of the whole cost, so that
  /// split blocks have no more of them than there are shares.
  static func mostPartials(threads: Int) -> Int { unitsPerThread * threads }

  /// Rebuilds the schedule; the arrays keep their storage from call to call.
  mutating func build(plan: BatchPlan, layout: KVLayout, threads: Int) {
    blocks.removeAll(keepingCapacity: true)
    units.removeAll(keepingCapacity: true)
    partials = 0
    let shape = layout.shape
    let blockTokens = max(1, Self.blockRows / shape.queryHeadsPerStream)
    var cost = 0
    for (index, entry) in plan.entries.enumerated() {
      for stream in 0..<shape.streams {
        var first = 0
        while first < entry.count {
          let block = AttendBlock(
            entry: index, stream: stream, firstToken: first,
            tokens: min(blockTokens, entry.count - first))
          cost += Visible(block, entry, layout.reach).count * Self.tokenCost(block, layout)
          blocks.append(block)
          first += blockTokens
        }
      }
    }
    // Room for every cut, so that a growing context does not grow the array.
    units.reserveCapacity(blocks.count + Self.mostPartials(threads: threads))
    let target =
      threads == 1 ? Int.max : max(cost / (Self.unitsPerThread * threads), Self.smallestUnit)
    for index in blocks.indices {
      let block = blocks[index]
      let visible = Visible(block, plan.entries[block.entry], layout.reach)
      let pieces = max(
        1,
        min(
          visible.count * Self.tokenCost(block, layout) / target,
          visible.count / Self.grain, threads * 8))
      let begin = units.count
      for piece in 0..<pieces {
        var unit = visible.unit(block: index, piece: piece, of: pieces)
        if pieces > 1 {
          unit.partial = partials
          partials += 1
        }
        units.append(unit)
      }
      blocks[index].units = begin..<units.count
    }
  }

  /// Cost of one cached token for a block: its bytes, or its FLOPs at 16 a byte.
  private static func tokenCost(_ block: AttendBlock, _ layout: KVLayout) -> Int {
    let shape = layout.shape
    let flops = 2 * block.tokens * shape.queryHeadsPerStream * (shape.keyWidth + shape.valueWidth)
    return max(layout.rowBytesPerToken / shape.streams, flops / 16, 1)
  }
}

/// The cached tokens that the queries of a block see between them.
private struct Visible {
  private let sinks: Int
  private let begin: Int
  private let end: Int

  init(_ block: AttendBlock, _ entry: BatchPlan.Entry, _ reach: Reach) {
    let first = entry.start + block.firstToken
    begin = reach.windowStart(at: first)
    end = first + block.tokens
    sinks = min(reach.sinks, begin)
  }

  var count: Int { sinks + end - begin }

  /// Piece `piece` of `pieces` of the tokens, cut at multiples of the grain.
  func unit(block: Int, piece: Int, of pieces: Int) -> AttendUnit {
    func cut(_ index: Int) -> Int {
      index == pieces
        ? count : count * index / pieces / AttendSchedule.grain * AttendSchedule.grain
    }
    let from = cut(piece)
    let to = cut(piece + 1)
    var unit = AttendUnit(block: block, ranges: (attn_range(), attn_range()), rangeCount: 0)
    func add(_ first: Int, _ last: Int) {
      guard first < last else { return }
      let range = attn_range(begin: Int64(first), end: Int64(last))
      if unit.rangeCount == 0 { unit.ranges.0 = range } else { unit.ranges.1 = range }
      unit.rangeCount += 1
    }
    add(min(from, sinks), min(to, sinks))
    add(begin + max(from, sinks) - sinks, begin + max(to, sinks) - sinks)
    return unit
  }
}
