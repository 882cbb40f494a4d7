import AttentionCore
import Testing
import ZooMemory

/// A cache filled with random rows, queries for the last tokens of every sequence, and the answer in
/// float64 computed from the rows as the cache holds them.
struct AttendCase {
  let layout: KVLayout
  let cache: KVCache
  let plan: BatchPlan
  var queries: [Float]
  var options: AttendOptions

  /// - Parameter asked: the tokens each sequence has and how many of the last are queried.
  init(
    _ notation: String, heads: Int = 4, headWidth: Int = 16, storage: CacheStorage = .contiguous,
    asked: [(length: Int, queries: Int)], maxChunk: Int = 64, seed: UInt64 = 1
  ) throws {
    let geometry = ModelGeometry.attention(
      "case", layers: 1, queryHeads: heads, headWidth: headWidth)
    layout = try AxisRegistry.extended.layouts(notation, on: geometry)[0]
    let shape = layout.shape
    cache = try KVCache(
      layouts: [layout],
      plan: CachePlan(
        storage: storage, sequences: asked.count, capacity: max(1, asked.map(\.length).max() ?? 1),
        maxChunk: maxChunk))
    var plan = BatchPlan()
    for (index, item) in asked.enumerated() {
      let sequence = try cache.addSequence()
      // The same rows whatever the chunks.
      var keyRandom = SeededGenerator(seed: seed, stream: UInt64(2 * index))
      var valueRandom = SeededGenerator(seed: seed, stream: UInt64(2 * index + 1))
      var length = 0
      while length < item.length {
        let before = item.length - item.queries
        let count = min(maxChunk, (length < before ? before : item.length) - length)
        try cache.extend(sequence, by: count)
        let keys = Self.random(count * shape.streams * shape.keyWidth, &keyRandom)
        let values = Self.random(count * shape.streams * shape.valueWidth, &valueRandom)
        Self.write(cache.layer(0), sequence, length, count, keys, values)
        length += count
      }
      plan.append(sequence: sequence, start: item.length - item.queries, count: item.queries)
    }
    self.plan = plan
    var random = SeededGenerator(seed: seed, stream: 1_000)
    queries = Self.random(
      shape.streams * plan.tokens * shape.queryHeadsPerStream * shape.keyWidth, &random)
    options = AttendOptions(scale: 1 / Float(headWidth).squareRoot())
  }

  static func random(_ count: Int, _ generator: inout SeededGenerator) -> [Float] {
    // One word a number, so that chunks of any size give the same sequence.
    (0..<count).map { _ in 3 * (generator.nextUnit() - 0.5) }
  }

  static func write(
    _ layer: LayerCache, _ sequence: Int, _ start: Int, _ count: Int, _ keys: [Float],
    _ values: [Float]
  ) {
    let shape = layer.layout.shape
    layer.append(
      sequence: sequence, start: start, count: count, keys: keys,
      keyStride: shape.streams * shape.keyWidth,
      values: shape.valueIsKeyPrefix ? nil : values, valueStride: shape.streams * shape.valueWidth)
  }

  /// What `AttendExecutor` answers.
  func attended(_ executor: AttendExecutor) throws -> [Float] {
    var out = [Float](
      repeating: .nan,
      count: layout.shape.streams * plan.tokens * layout.shape.queryHeadsPerStream
        * layout.shape.valueWidth)
    try executor.attend(
      queries: queries, plan: plan, layer: cache.layer(0), options: options, out: &out)
    return out
  }

  /// The same in float64, from the definition.
  func reference() -> [Double] {
    let shape = layout.shape
    let group = shape.queryHeadsPerStream
    var out: [Double] = []
    for stream in 0..<shape.streams {
      for entry in plan.entries {
        let reader = StreamReader(cache.layer(0).view(sequence: entry.sequence, stream: stream))
        for token in 0..<entry.count {
          let position = entry.start + token
          let seen = (0...position).filter { layout.reach.sees($0, from: position) }
          let keys = seen.map { reader.key($0).map(Double.init) }
          let values = seen.map { reader.value($0).map(Double.init) }
          for head in 0..<group {
            let row = (stream * plan.tokens + entry.offset + token) * group + head
            let query = queries[row * shape.keyWidth..<(row + 1) * shape.keyWidth].map(Double.init)
            out += Self.attend(
              query, keys, values, options, sinkLogit: options.sinkLogits?[stream * group + head])
          }
        }
      }
    }
    return out
  }

  static func attend(
    _ query: [Double], _ keys: [[Double]], _ values: [[Double]], _ options: AttendOptions,
    sinkLogit: Float? = nil
  ) -> [Double] {
    let cap = Double(options.softCap)
    let scores = keys.map { key -> Double in
      let score = Double(options.scale) * zip(query, key).reduce(0) { $0 + $1.0 * $1.1 }
      return cap > 0 ? cap * tanh(score / cap) : score
    }
    let logits = scores + (sinkLogit.map { [Double($0)] } ?? [])
    let most = logits.max() ?? 0
    let sum = logits.reduce(0) { $0 + exp($1 - most) }
    var out = [Double](repeating: 0, count: values.first?.count ?? 0)
    for (score, value) in zip(scores, values) {
      let weight = exp(score - most) / sum
      for index in value.indices { out[index] += weight * value[index] }
    }
    return out
  }
}

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// float32 sums of products below 2.25 · 128 and weighted means of values below 1.5: rounding of
/// the scores dominates, about 100 · 2⁻²⁴ each.
let attendTolerance = 2e-5

/// The largest difference, or infinity where the sizes differ or something is not a number.
func difference(_ left: [Float], _ right: [Double]) -> Double {
  guard left.count == right.count else { return .infinity }
  return zip(left, right).reduce(0) { worst, pair in
    let gap = abs(Double(pair.0) - pair.1)
    return gap.isNaN ? .infinity : max(worst, gap)
  }
}
