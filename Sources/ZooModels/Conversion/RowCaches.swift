import AttentionCore
import ZooMemory

/// Caches for segments of tokens that go through a model layer by layer: a layer's rows are dropped
/// when it is done, unless later layers read them. Rows are kept in float32.
struct RowCaches {
  /// Tokens of each segment.
  let segments: [Int]
  private var kept: [Int: KVCache] = [:]
  private var current: KVCache?

  init(segments: [Int]) { self.segments = segments }

  private func plan(_ sequences: Int) -> CachePlan {
    let longest = segments.max() ?? 1
    return CachePlan(
      storage: .contiguous, sequences: sequences, capacity: longest, maxChunk: longest)
  }

  /// Room for a layer's rows.
  /// - Parameters:
  ///   - layout: the layer's.
  ///   - readers: layouts of the later layers that read its rows.
  /// - Throws: `CacheError`.
  mutating func begin(_ layout: KVLayout, readers: [KVLayout]) throws(CacheError) {
    current = nil
    guard layout.ownsRows else { return }
    if readers.isEmpty {
      current = try KVCache(layouts: [layout], plan: plan(1))
    } else {
      let cache = try KVCache(layouts: [layout] + readers, plan: plan(segments.count))
      for count in segments { try cache.extend(try cache.addSequence(), by: count) }
      kept[layout.layer] = cache
    }
  }

  /// Runs a segment against the layer's cache, whose rows are appended by the body where the layer
  /// owns them.
  func withCache<Result>(
    _ layout: KVLayout, segment: Int, _ body: (LayerCache, BatchPlan) throws -> Result
  ) throws -> Result {
    let count = segments[segment]
    if let current {
      let sequence = try current.addSequence()
      defer { try? current.release(sequence) }
      try current.extend(sequence, by: count)
      return try body(current.layer(0), BatchPlan([(sequence, 0, count)]))
    }
    guard let cache = kept[layout.owner],
      let index = cache.layouts.firstIndex(where: { $0.layer == layout.layer })
    else { preconditionFailure("layer \(layout.layer) runs before its owner") }
    return try body(cache.layer(index), BatchPlan([(segment, 0, count)]))
  }

  /// Drops what no layer after `layout` reads.
  mutating func end(_ layout: KVLayout) {
    current = nil
    if let last = kept[layout.owner]?.layouts.last, last.layer == layout.layer {
      kept[layout.owner] = nil
    }
  }
}

extension KVLayout {
  /// The layout with rows kept in float32.
  var inFloat32: KVLayout {
    KVLayout(
      layer: layer, owner: owner, heads: heads, shape: shape, reach: reach,
      codec: CodecPair(Float32Codec()))
  }

  /// This layer's reach and place with the rows of another layer.
  func reading(_ owner: KVLayout) -> KVLayout {
    KVLayout(
      layer: layer, owner: owner.layer, heads: owner.heads, shape: owner.shape, reach: reach,
      codec: owner.codec)
  }
}

extension [KVLayout] {
  /// Later layers that read the rows of a layer, as rows of its kind.
  func readers(of owner: KVLayout) -> [KVLayout] {
    owner.ownsRows
      ? filter { $0.owner == owner.layer && !$0.ownsRows }.map { $0.reading(owner) } : []
  }
}
