import AttentionCore
import Foundation
import ZooMemory

/// One decode step of attention over rows from files, through the caches and the executor that a
/// decoder uses.
///
/// Files, little-endian and without gaps: `keys.f16` `[sequence][stream][token][key width]`,
/// `values.f16` likewise unless the value is a prefix of the key, `queries.f32`
/// `[sequence][query head][key width]`.
final class AttentionProblem: Problem {
  private let cache: KVCache
  private let executor: AttendExecutor
  private let plan: BatchPlan
  private let options: AttendOptions
  private let queries: AlignedBuffer
  private let result: AlignedBuffer
  private let layout: KVLayout
  private let sequences: Int
  private var turn = 0

  let bytes: Int
  let flops: Int

  init(_ request: Request, pool: WorkerPool) throws {
    let heads = try request.queryHeads.orThrow("queryHeads")
    let width = try request.headWidth.orThrow("headWidth")
    let tokens = try request.tokens.orThrow("tokens")
    let folder = URL(fileURLWithPath: try request.folder.orThrow("folder"))
    let copies = request.copies ?? 1
    sequences = request.sequences ?? 1
    let geometry = ModelGeometry(
      name: "problem", layers: copies, hidden: heads * width, queryHeads: heads,
      keyValueHeads: heads, headWidth: width, mlpWidth: 1, vocabulary: 1, tiedEmbeddings: true,
      maxPositions: tokens)
    let layouts = try AxisRegistry.standard.variant(try request.variant.orThrow("variant"))
      .layouts(for: geometry)
    layout = layouts[0]
    cache = try KVCache(
      layouts: layouts,
      plan: CachePlan(
        storage: try Self.storage(request.storage ?? "ring"), sequences: sequences,
        capacity: tokens, maxChunk: 64))
    executor = AttendExecutor(pool: pool)
    options = AttendOptions(scale: 1 / Float(width).squareRoot())
    bytes = sequences * layout.readBytes(context: tokens)
    flops = sequences * layout.attendFLOPs(context: tokens)
    let shape = layout.shape
    let group = shape.queryHeadsPerStream
    queries = try AlignedBuffer(count: sequences * heads * shape.keyWidth * 4)
    result = try AlignedBuffer(count: sequences * heads * shape.valueWidth * 4)
    var slots: [Int] = []
    for _ in 0..<sequences { slots.append(try cache.addSequence()) }
    plan = BatchPlan(slots.map { ($0, tokens - 1, 1) })

    let keys = try Rows(folder.appendingPathComponent("keys.f16"))
    let values =
      shape.valueIsKeyPrefix ? nil : try Rows(folder.appendingPathComponent("values.f16"))
    for (sequence, slot) in slots.enumerated() {
      var start = 0
      while start < tokens {
        let count = try cache.nextChunk(of: slot, atMost: min(64, tokens - start))
        try cache.extend(slot, by: count)
        let first = start
        let key = keys.gather(sequence, shape.streams, tokens, first, count, shape.keyWidth)
        let value = values?.gather(
          sequence, shape.streams, tokens, first, count, shape.valueWidth)
        pool.forEach(copies) { layer, _ in
          self.cache.layer(layer).append(
            sequence: slot, start: first, count: count, keys: key,
            keyStride: shape.streams * shape.keyWidth, values: value,
            valueStride: shape.streams * shape.valueWidth)
        }
        start += count
      }
    }
    // From [sequence][stream][head] to [stream][sequence][head].
    let source = try Data(contentsOf: folder.appendingPathComponent("queries.f32"))
    let target = queries.pointer(to: Float.self)
    try source.withUnsafeBytes { bytes in
      let floats = bytes.bindMemory(to: Float.self)
      guard floats.count == sequences * heads * shape.keyWidth else {
        throw ServerError(text: "queries.f32 has \(floats.count) elements")
      }
      let block = group * shape.keyWidth
      for sequence in 0..<sequences {
        for stream in 0..<shape.streams {
          (target + (stream * sequences + sequence) * block).update(
            from: floats.baseAddress! + (sequence * shape.streams + stream) * block, count: block)
        }
      }
    }
  }

  private static func storage(_ text: String) throws -> CacheStorage {
    switch text {
    case "ring": return .ring
    case "contiguous": return .contiguous
    default:
      guard text.hasPrefix("paged:"), let tokens = Int(text.dropFirst(6)), tokens > 0 else {
        throw ServerError(text: "no such storage: \(text)")
      }
      return .paged(pageTokens: tokens)
    }
  }

  func run() throws -> Int64 {
    let layer = cache.layer(turn % cache.layouts.count)
    turn += 1
    let begin = MonotonicClock.nanoseconds()
    try executor.attend(
      queries: queries.pointer(), plan: plan, layer: layer, options: options,
      out: result.pointer())
    return MonotonicClock.nanoseconds() - begin
  }

  /// `[sequence][query head][value width]`.
  func output() -> Data {
    let shape = layout.shape
    let block = shape.queryHeadsPerStream * shape.valueWidth
    let source = result.pointer(to: Float.self)
    var data = Data(capacity: result.count)
    for sequence in 0..<sequences {
      for stream in 0..<shape.streams {
        data.append(
          UnsafeBufferPointer(start: source + (stream * sequences + sequence) * block, count: block)
        )
      }
    }
    return data
  }
}

/// Rows of a file in float16.
private struct Rows {
  private let data: Data

  init(_ url: URL) throws { data = try Data(contentsOf: url, options: .alwaysMapped) }

  /// Tokens `first ..< first + count` of one sequence as `[token][stream][width]`.
  func gather(
    _ sequence: Int, _ streams: Int, _ tokens: Int, _ first: Int, _ count: Int, _ width: Int
  ) -> [Float] {
    var result = [Float](repeating: 0, count: count * streams * width)
    data.withUnsafeBytes { bytes in
      let halves = bytes.bindMemory(to: UInt16.self)
      result.withUnsafeMutableBufferPointer { target in
        for stream in 0..<streams {
          for token in 0..<count {
            let row = (sequence * streams + stream) * tokens + first + token
            HalfFormat.float16.decode(
              halves.baseAddress! + row * width,
              to: target.baseAddress! + (token * streams + stream) * width, count: width)
          }
        }
      }
    }
    return result
  }
}
