/// The cache of a whole model: one store a layer kind, layers that share rows pointing at their
/// owner's. Length, truncation, forks and release of a sequence concern all its layers at once;
/// rows are appended and read layer by layer through `LayerCache`.
///
/// Not safe for calls from several threads at once; the workers of one attend call only read.
public final class KVCache: @unchecked Sendable {
  /// One layout a layer, in order.
  public let layouts: [KVLayout]
  /// What the cache was made for.
  public let plan: CachePlan
  /// What it takes, computed from the layouts.
  public let footprint: CacheFootprint
  private let stores: [any RowStore]
  private let layerCaches: [LayerCache]
  private let groupTokens: [Int]
  private var lengths: [Int?]

  /// - Parameter layouts: of every layer of the model, or of a single layer.
  /// - Throws: `CacheError.outOfMemory`.
  public init(layouts: [KVLayout], plan: CachePlan) throws(CacheError) {
    self.layouts = layouts
    self.plan = plan
    footprint = CacheFootprint(layouts: layouts, plan: plan)
    guard footprint.totalBytes < Int.max / 2 else {
      throw .outOfMemory(bytes: footprint.totalBytes)
    }
    var stores: [any RowStore] = []
    var place: [Int: (store: any RowStore, layer: Int)] = [:]
    for kind in LayerKind.kinds(of: layouts) {
      let store: any RowStore
      if case .paged(let pageTokens) = plan.storage {
        store = try PagedStore(kind: kind, plan: plan, pageTokens: pageTokens)
      } else {
        store = BlockStore(kind: kind, plan: plan)
      }
      for (index, owner) in kind.owners.enumerated() { place[owner] = (store, index) }
      stores.append(store)
    }
    self.stores = stores
    layerCaches = layouts.map { layout in
      guard let owner = place[layout.owner] else {
        preconditionFailure("layer \(layout.layer) reads rows that no layer owns")
      }
      return LayerCache(
        layout: layout, store: owner.store, storeLayer: owner.layer)
    }
    groupTokens = Set(layouts.flatMap(\.groupTokens)).sorted()
    lengths = Array(repeating: nil, count: plan.sequences)
  }

  /// The cache as layer `index` of the model sees it.
  public func layer(_ index: Int) -> LayerCache { layerCaches[index] }

  /// Opens a new, empty sequence.
  /// - Throws: `CacheError` when all are in use or memory is refused.
  public func addSequence() throws(CacheError) -> Int {
    guard let slot = lengths.firstIndex(of: nil) else {
      throw .noFreeSequence(sequences: plan.sequences)
    }
    for (index, store) in stores.enumerated() {
      do {
        try store.open(slot)
      } catch {
        for opened in stores[..<index] { opened.close(slot) }
        throw error
      }
    }
    lengths[slot] = 0
    return slot
  }

  /// Tokens of a sequence.
  public func length(of sequence: Int) throws(CacheError) -> Int {
    guard lengths.indices.contains(sequence), let length = lengths[sequence] else {
      throw .unknownSequence(sequence)
    }
    return length
  }

  /// How many of `count` tokens the next call may add to a sequence: a codec that quantises groups of
  /// tokens takes none across the end of a group.
  public func nextChunk(of sequence: Int, atMost count: Int) throws(CacheError) -> Int {
    let length = try length(of: sequence)
    return groupTokens.reduce(count) { min($0, $1 - length % $1) }
  }

  /// Makes room for `count` more tokens in every layer and counts them in. Every layer that owns
  /// rows must then be given them before it is read. On an error nothing has changed.
  public func extend(_ sequence: Int, by count: Int) throws(CacheError) {
    let length = try self.length(of: sequence)
    guard count >= 0 else { throw .negativeCount(count) }
    guard count <= plan.capacity - length else {
      let (tokens, overflow) = length.addingReportingOverflow(count)
      throw .capacityExceeded(tokens: overflow ? Int.max : tokens, capacity: plan.capacity)
    }
    for store in stores { try store.checkExtension(sequence, by: count) }
    for store in stores { store.extend(sequence, by: count) }
    lengths[sequence] = length + count
  }

  /// Forgets the tokens from `length` on, in every layer.
  /// - Throws: `windowOverwritten` where a window layer no longer holds the rows that the next
  ///   query needs; nothing has changed then.
  public func truncate(_ sequence: Int, to length: Int) throws(CacheError) {
    _ = try self.length(of: sequence)
    for store in stores { try store.checkTruncation(sequence, to: length) }
    for store in stores { try store.truncate(sequence, to: length) }
    lengths[sequence] = length
  }

  /// A new sequence that starts as the first `length` tokens of another. Paged storage shares the
  /// pages and copies one when either side writes to it.
  public func fork(_ sequence: Int, at length: Int) throws(CacheError) -> Int {
    _ = try self.length(of: sequence)
    for store in stores { try store.checkTruncation(sequence, to: length) }
    let target = try addSequence()
    for store in stores { try store.fork(sequence, into: target, at: length) }
    lengths[target] = length
    return target
  }

  /// Closes a sequence and gives back what it holds.
  public func release(_ sequence: Int) throws(CacheError) {
    _ = try length(of: sequence)
    for store in stores { store.close(sequence) }
    lengths[sequence] = nil
  }

  /// Bytes of rows that the cache holds from the system now.
  public var allocatedBytes: Int { stores.reduce(0) { $0 + $1.allocatedBytes } }

  /// Bytes of page tables, lengths and reference counts.
  public var metadataBytes: Int { stores.reduce(0) { $0 + $1.metadataBytes } }
}
