import AttentionCore
import Benchmark
import ZooLinearAlgebra
import ZooMemory

/// A decode step of attention over one layer's rows, in memory past any cache.
private final class AttentionStep: @unchecked Sendable {
  private let cache: KVCache
  private let executor: AttendExecutor
  private let plan: BatchPlan
  private let queries: AlignedBuffer
  private let output: AlignedBuffer
  private var turn = 0

  init(_ notation: String, heads: Int, width: Int, tokens: Int, sequences: Int = 1, copies: Int = 4)
  {
    do {
      let geometry = ModelGeometry(
        name: "benchmark", layers: copies, hidden: heads * width, queryHeads: heads,
        keyValueHeads: heads, headWidth: width, mlpWidth: 1, vocabulary: 1, tiedEmbeddings: true,
        maxPositions: tokens)
      let layouts = try AxisRegistry.standard.variant(notation).layouts(for: geometry)
      let shape = layouts[0].shape
      cache = try KVCache(
        layouts: layouts, plan: CachePlan(sequences: sequences, capacity: tokens, maxChunk: 64))
      executor = AttendExecutor(pool: WorkerPool(threads: WorkerPool.availableProcessors))
      queries = try AlignedBuffer(count: sequences * heads * shape.keyWidth * 4)
      output = try AlignedBuffer(count: sequences * heads * shape.valueWidth * 4)
      var random = SeededGenerator(seed: 1)
      random.fill(queries.pointer(), count: sequences * heads * shape.keyWidth, deviation: 1)
      var rows = [Float](repeating: 0, count: 64 * shape.streams * shape.keyWidth)
      random.fill(&rows, count: rows.count, deviation: 1)
      var slots: [Int] = []
      for _ in 0..<sequences { slots.append(try cache.addSequence()) }
      plan = BatchPlan(slots.map { ($0, tokens - 1, 1) })
      for slot in slots {
        var start = 0
        while start < tokens {
          let count = try cache.nextChunk(of: slot, atMost: min(64, tokens - start))
          try cache.extend(slot, by: count)
          for layer in 0..<copies {
            cache.layer(layer).append(
              sequence: slot, start: start, count: count, keys: rows,
              keyStride: shape.streams * shape.keyWidth,
              values: shape.valueIsKeyPrefix ? nil : rows,
              valueStride: shape.streams * shape.valueWidth)
          }
          start += count
        }
      }
    } catch {
      fatalError("\(notation): \(error)")
    }
  }

  func run() throws {
    turn += 1
    try executor.attend(
      queries: queries.pointer(), plan: plan, layer: cache.layer(turn % cache.layouts.count),
      options: AttendOptions(scale: 0.1), out: output.pointer())
  }
}

/// A product of a weight matrix with few rows.
private final class SkinnyProduct: @unchecked Sendable {
  private let linears: [Linear]
  private let pool = WorkerPool(threads: WorkerPool.availableProcessors)
  private let scratch: LinearScratch
  private let input: Matrix
  private let output: Matrix
  private var turn = 0

  init(_ format: WeightFormat, rows: Int, width: Int = 4_096, copies: Int = 8) {
    do {
      let pool = pool
      linears = try (0..<copies).map {
        Linear(
          weight: try WeightMatrix(
            outputs: width, inputs: width, format: format, seed: UInt64($0), deviation: 0.02,
            pool: pool))
      }
      scratch = try LinearScratch(maximumInputs: width, threads: pool.threads)
      input = try Matrix(rows: rows, columns: width)
      output = try Matrix(rows: rows, columns: width)
    } catch {
      fatalError("\(format), \(rows) rows: \(error)")
    }
  }

  func run() {
    turn += 1
    linears[turn % linears.count].apply(
      input: input.view, output: output.mutableView, pool: pool, scratch: scratch)
  }
}

let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock], warmupIterations: 3, maxDuration: .seconds(2), maxIterations: 200)
  let shapes: [(name: String, notation: String, heads: Int, width: Int, tokens: Int)] = [
    ("MHA 32 × 128, 8,192 tokens", "mha", 32, 128, 8_192),
    ("GQA 32/8 × 128, 16,384 tokens", "gqa:8", 32, 128, 16_384),
    ("MQA 32/1 × 128, 65,536 tokens", "mqa", 32, 128, 65_536),
    ("MLA 576/512, 16 heads, 16,384 tokens", "mla:512+64", 16, 128, 16_384),
  ]
  for shape in shapes {
    for codec in ["f16", "bf16", "fp8", "int8", "int4", "int8c:64", "int4c:64"] {
      Benchmark("\(shape.name), \(codec)") { benchmark, step in
        for _ in benchmark.scaledIterations { try step.run() }
      } setup: {
        AttentionStep(
          "\(shape.notation)@\(codec)", heads: shape.heads, width: shape.width,
          tokens: shape.tokens)
      }
    }
  }
  for format in WeightFormat.allCases {
    for rows in [1, 4, 16] {
      Benchmark("product 4,096 × 4,096 \(format), \(rows) rows") { benchmark, product in
        for _ in benchmark.scaledIterations { product.run() }
      } setup: {
        SkinnyProduct(format, rows: rows)
      }
    }
  }
}
