/// The layers of one model that share tables and storage: same rows, reach and codec.
public struct LayerKind: Sendable, Hashable {
  /// Layout of the first owner of the kind.
  public let layout: KVLayout
  /// Layers that own rows, in order.
  public let owners: [Int]

  /// The kinds among `layouts`, in the order of their first owner.
  public static func kinds(of layouts: [KVLayout]) -> [LayerKind] {
    struct Key: Hashable {
      var shape: RowShape
      var reach: Reach
      var codec: CodecPair
    }
    var order: [Key] = []
    var owners: [Key: [KVLayout]] = [:]
    for layout in layouts where layout.ownsRows {
      let key = Key(shape: layout.shape, reach: layout.reach, codec: layout.codec)
      if owners[key] == nil { order.append(key) }
      owners[key, default: []].append(layout)
    }
    return order.map { key in
      let members = owners[key] ?? []
      return LayerKind(layout: members[0], owners: members.map(\.layer))
    }
  }
}

/// The rows that one sequence reserves in one layer kind, and what rounding adds.
public struct RowReservation: Sendable, Hashable {
  /// Rows a layer has room for.
  public let rows: Int
  /// Pages a sequence may hold at once; 0 without pages.
  public let pages: Int
  /// Entries of a sequence's page table; 0 without pages.
  public let tableEntries: Int
  /// Rows that wrap, 0 where none do.
  public let ringRows: Int

  /// What `layout` reserves for one sequence under `plan`.
  public init(_ layout: KVLayout, plan: CachePlan) {
    let capacity = plan.capacity
    let chunk = min(plan.maxChunk, capacity)
    // Queries of a chunk of T tokens see W − 1 + T tokens between them.
    let unit = Self.groupUnit(layout)
    let span = layout.reach.window.map {
      Self.rounded($0 - 1 < capacity - chunk ? $0 - 1 + chunk : capacity, to: unit)
    }
    let sinks = min(Self.rounded(layout.reach.sinks, to: unit), capacity)
    switch plan.storage {
    case .contiguous:
      (rows, pages, tableEntries, ringRows) = (capacity, 0, 0, 0)
    case .ring:
      if let span, span < capacity - sinks {
        (rows, pages, tableEntries, ringRows) = (sinks + span, 0, 0, span)
      } else {
        (rows, pages, tableEntries, ringRows) = (capacity, 0, 0, 0)
      }
    case .paged(let pageTokens):
      let all = (capacity - 1) / pageTokens + 1
      var held = all
      if let span {
        // A span that starts at the last token of a page touches one page more.
        let windowPages = span == 1 ? 1 : (span - 2) / pageTokens + 2
        let sinkPages = sinks == 0 ? 0 : (sinks - 1) / pageTokens + 1
        held = min(all, windowPages + sinkPages)
      }
      (rows, pages, tableEntries, ringRows) = (saturated(held, pageTokens), held, all, 0)
    }
  }

  /// Rings and pages hold whole groups of tokens that are quantised together: a multiple of these.
  static func groupUnit(_ layout: KVLayout) -> Int {
    layout.groupTokens.reduce(1) { unit, tokens in
      var (large, small) = (unit, tokens)
      while small > 0 { (large, small) = (small, large % small) }
      return unit / large * tokens
    }
  }

  private static func rounded(_ tokens: Int, to unit: Int) -> Int {
    guard tokens < Int.max - unit else { return tokens }
    return (tokens + unit - 1) / unit * unit
  }
}

/// The product, or `Int.max` where that is too small for it: a plan may ask for any size, and what
/// no machine has must be refused, not trapped.
func saturated(_ factors: Int...) -> Int {
  factors.reduce(1) { product, factor in
    let (partial, overflow) = product.multipliedReportingOverflow(by: factor)
    return overflow ? Int.max : partial
  }
}

func saturatedSum(_ terms: Int...) -> Int {
  terms.reduce(0) { sum, term in
    let (partial, overflow) = sum.addingReportingOverflow(term)
    return overflow ? Int.max : partial
  }
}

/// The bytes that a cache of given layouts and plan really holds, before it is made: planner and
/// cache both use it. Sizes that an `Int` cannot hold are `Int.max`.
public struct CacheFootprint: Sendable, Hashable {
  /// Bytes of rows, every block rounded up to what the system maps.
  public let rowBytes: Int
  /// Part of `rowBytes` that rounding to mapped pages and the distance of values from keys add.
  public let roundingBytes: Int
  /// Page tables, lengths and reference counts.
  public let metadataBytes: Int

  /// What the cache takes from the system.
  public var totalBytes: Int { saturatedSum(rowBytes, metadataBytes) }

  /// The granularity of mapped memory, bytes.
  public static let mappedPage = 4096

  /// The footprint of `layouts` under `plan`.
  public init(layouts: [KVLayout], plan: CachePlan) {
    var rows = 0
    var exact = 0
    var metadata = 0
    for kind in LayerKind.kinds(of: layouts) {
      let reservation = RowReservation(kind.layout, plan: plan)
      let perSequence = Self.bytes(of: kind, reservation)
      let blocks = Self.blocks(plan: plan)
      exact = saturatedSum(exact, saturated(perSequence, plan.sequences))
      let block = saturatedSum(
        saturated(perSequence, blocks.sequences),
        saturated(kind.owners.count, Self.valueDistance(kind.layout, reservation)))
      rows = saturatedSum(rows, saturated(blocks.count, Self.mapped(block)))
      metadata = saturatedSum(metadata, Self.metadataBytes(reservation, plan: plan))
    }
    rowBytes = rows
    roundingBytes = rows - exact
    metadataBytes = metadata
  }

  /// Bytes of rows of one sequence in a layer kind.
  static func bytes(of kind: LayerKind, _ reservation: RowReservation) -> Int {
    let stream = kind.layout.sides.reduce(0) {
      saturatedSum($0, saturatedSum(blockBytes($1, reservation), $1.tailBytes))
    }
    return saturated(kind.owners.count, kind.layout.shape.streams, stream)
  }

  /// Bytes between a layer's keys and its values in a block. Regions that are powers of two apart meet in
  /// the same banks of the memory as keys and values are read in turn: 32 streams of 16,384 rows of 256
  /// bytes took up to a fifth longer. Small regions, for which it would count, have none.
  static func valueDistance(_ layout: KVLayout, _ reservation: RowReservation) -> Int {
    guard reservation.pages == 0, layout.sides.count > 1 else { return 0 }
    let keys = saturated(layout.shape.streams, blockBytes(layout.sides[0], reservation))
    return keys >= 8 << 20 ? 64 << 10 : 0
  }

  /// Bytes of one stream's keys or values of a sequence, without their tail: a block, or all its
  /// pages.
  private static func blockBytes(_ side: StoredRows, _ reservation: RowReservation) -> Int {
    guard reservation.pages > 0 else { return side.regionBytes(rows: reservation.rows) }
    return saturated(
      reservation.pages, side.regionBytes(rows: reservation.rows / reservation.pages))
  }

  /// Mapped blocks of a layer kind and the sequences that each serves: one a sequence, or one pool.
  static func blocks(plan: CachePlan) -> (count: Int, sequences: Int) {
    if case .paged = plan.storage { (1, plan.sequences) } else { (plan.sequences, 1) }
  }

  /// Bytes of tables, lengths and reference counts of a layer kind.
  static func metadataBytes(_ reservation: RowReservation, plan: CachePlan) -> Int {
    let lengths = saturated(plan.sequences, SequenceState.bytes)
    let tables = saturated(
      plan.sequences, reservation.tableEntries, MemoryLayout<Int32>.stride)
    // A reference count and a place in the list of free pages for each page of the pool.
    let pool = saturated(plan.sequences, reservation.pages, 2, MemoryLayout<Int32>.stride)
    return saturatedSum(lengths, tables, pool)
  }

  static func mapped(_ bytes: Int) -> Int {
    guard bytes < Int.max - mappedPage else { return Int.max }
    return max(mappedPage, (bytes + mappedPage - 1) / mappedPage * mappedPage)
  }
}
