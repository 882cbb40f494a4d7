import AttentionCore
import ZooMemory

/// Random rows that stand for those of a prompt, appended over and over through the same path that
/// decoding uses.
final class SyntheticRows {
  private let keys: AlignedBuffer
  private let values: AlignedBuffer
  private let tokens: Int

  /// Rows of `tokens` tokens, wide enough for every layout.
  init(layouts: [KVLayout], tokens: Int, seed: UInt64) throws(OutOfMemory) {
    self.tokens = tokens
    let keyWidth = layouts.map { $0.shape.streams * $0.shape.keyWidth }.max() ?? 0
    let valueWidth = layouts.map { $0.shape.streams * $0.shape.valueWidth }.max() ?? 0
    keys = try AlignedBuffer(count: tokens * keyWidth * MemoryLayout<Float>.stride)
    values = try AlignedBuffer(count: tokens * valueWidth * MemoryLayout<Float>.stride)
    var random = SeededGenerator(seed: seed, stream: 1)
    random.fill(keys.pointer(), count: tokens * keyWidth, deviation: 1)
    random.fill(values.pointer(), count: tokens * valueWidth, deviation: 1)
  }

  /// Bytes held.
  var byteCount: Int { keys.mappedBytes + values.mappedBytes }

  /// Appends the rows of tokens `start ..< start + count` of one sequence to one layer.
  func append(to layer: LayerCache, sequence: Int, start: Int, count: Int) {
    let shape = layer.layout.shape
    layer.append(
      sequence: sequence, start: start, count: count, keys: keys.pointer(),
      keyStride: shape.streams * shape.keyWidth,
      values: shape.valueIsKeyPrefix ? nil : UnsafePointer(values.pointer()),
      valueStride: shape.streams * shape.valueWidth)
  }

  /// Extends every sequence to `length` tokens. The workers share the layers, so that a page of the
  /// cache is first touched by whoever fills it.
  /// - Parameter stopped: asked between chunks; true ends the filling early.
  /// - Throws: `CacheError`.
  func fill(
    _ cache: KVCache, sequences: [Int], to length: Int, pool: WorkerPool,
    stopped: () -> Bool = { false }
  ) throws(CacheError) {
    let owners = cache.layouts.filter(\.ownsRows).map { cache.layer($0.layer) }
    for sequence in sequences {
      var start = try cache.length(of: sequence)
      while start < length, !stopped() {
        let count = try cache.nextChunk(of: sequence, atMost: min(tokens, length - start))
        try cache.extend(sequence, by: count)
        let first = start
        pool.forEach(owners.count) { part, _ in
          self.append(to: owners[part], sequence: sequence, start: first, count: count)
        }
        start += count
      }
    }
  }
}
