import AttentionCore
import AttentionZoo
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// A statement that does not hold of a variant.
struct ConformanceFailure: Error, CustomStringConvertible {
  let variant: String
  let statement: String
  let detail: String
  var description: String { "\(variant): \(statement): \(detail)" }
}

/// Runs one variant's attention layers through ragged schedules and every kind of cache, and holds
/// the results against the float64 reference and against each other.
struct ConformanceChecker {
  /// Sequences of 0, 1, a page, a window and more tokens before the last ones are decoded.
  static let lengths = [41, 18, 5, 1]
  static let geometry = ModelGeometry(
    name: "conformance", layers: 6, hidden: 48, queryHeads: 4, keyValueHeads: 4, headWidth: 16,
    mlpWidth: 8, vocabulary: 8, tiedEmbeddings: true, maxPositions: 64)
  static let storages: [CacheStorage] = [
    .contiguous, .ring, .paged(pageTokens: 1), .paged(pageTokens: 3), .paged(pageTokens: 16),
  ]

  let variant: Variant
  let layouts: [KVLayout]
  private let pool: WorkerPool
  private let modules: [any AttentionModule]
  /// `[sequence][layer][position][D]`
  private let inputs: [[[[Float]]]]

  init(_ notation: String, registry: AxisRegistry, pool: WorkerPool) throws {
    variant = try registry.variant(notation)
    self.pool = pool
    let model = try DecoderModel(
      randomWeights: Self.geometry, variant: variant, format: .float32, seed: 7, pool: pool)
    layouts = model.layouts
    modules = model.layers.map(\.attention)
    var generator = SeededGenerator(seed: 11)
    inputs = Self.lengths.map { length in
      (0..<Self.geometry.layers).map { _ in
        (0..<length).map { _ in
          var row = [Float](repeating: 0, count: Self.geometry.hidden)
          generator.fill(&row, count: row.count, deviation: 1)
          return row
        }
      }
    }
  }

  /// Tolerance of an output against the reference. Outputs are of order 1; rounding a row's
  /// elements by a relative ε moves a score by about ε·√width·|q·k| and an output by ε, both under
  /// 16 ε here; float32 accumulation stays under 2e-5.
  private var tolerance: Double {
    16 * max(variantCodec.first.relativeError, variantCodec.second.relativeError) + 2e-5
  }

  private var variantCodec: CodecPair { layouts[0].codec }

  /// Checks every statement. Throws the first that fails.
  func check() throws {
    let reference = Self.lengths.indices.map { sequence in
      ReferenceAttention.outputs(
        modules: modules, hidden: inputs[sequence].map { $0.map { $0.map(Double.init) } })
    }
    let tokenwise = try run(.tokenwise, storage: .contiguous)
    try compare(tokenwise, reference, tolerance, "decode equals the float64 reference")
    let settled = tokenwise.map { $0.map { $0.map { $0.map(Double.init) } } }
    // Rows are rounded from projections that may differ in the last bit between schedules.
    let step = 4 * max(variantCodec.first.relativeError, variantCodec.second.relativeError) + 2e-5
    for storage in Self.storages {
      for schedule in Schedule.allCases where schedule != .tokenwise || storage != .contiguous {
        let outputs = try run(schedule, storage: storage)
        try compare(outputs, settled, step, "\(schedule) on \(storage) equals decoding")
      }
    }
    if modules.contains(where: { $0 is LatentAttention }) {
      for path in [LatentPath.absorbed, .expanded] {
        let outputs = try run(.prefill, storage: .ring, path: path)
        try compare(outputs, settled, step, "MLA \(path.rawValue) equals decoding")
      }
    }
    try checkBytes()
    try checkForks(step)
  }

  /// Allocated bytes are the layout's plus stated rounding and metadata, for every cache.
  private func checkBytes() throws {
    for storage in Self.storages {
      let plan = CachePlan(storage: storage, sequences: 3, capacity: 41, maxChunk: 8)
      let cache = try KVCache(layouts: layouts, plan: plan)
      for _ in 0..<3 { _ = try cache.addSequence() }
      let footprint = CacheFootprint(layouts: layouts, plan: plan)
      guard cache.allocatedBytes == footprint.rowBytes,
        cache.metadataBytes == footprint.metadataBytes
      else {
        throw failure(
          "allocated bytes equal the layout's on \(storage)",
          "\(cache.allocatedBytes) + \(cache.metadataBytes) against \(footprint)")
      }
      let ideal = layouts.reduce(0) { $0 + $1.idealBytes(context: 41) } * 3
      guard footprint.rowBytes - footprint.roundingBytes >= ideal else {
        throw failure("a cache holds at least the ideal bytes", "\(footprint) below \(ideal)")
      }
    }
  }

  /// A fork and its parent diverge without touching each other, whatever the cache.
  private func checkForks(_ step: Double) throws {
    for storage in Self.storages {
      let runner = try Runner(self, storage: storage)
      let parent = try runner.open()
      // Both continue with the rows of sequence 0, the child after a detour through sequence 1's.
      try runner.advance([(parent, 0, 0..<12)])
      let child = try runner.cache.fork(parent, at: 12)
      let detour = try runner.advance([(child, 1, 12..<16)])
      let parentOut = try runner.advance([(parent, 0, 12..<18)])
      let expected = try Runner(self, storage: .contiguous)
      let plain = try expected.open()
      try expected.advance([(plain, 0, 0..<12)])
      let straight = try expected.advance([(plain, 0, 12..<18)])
      try close(parentOut, straight, step, "a fork leaves its parent alone on \(storage)")
      let other = try expected.open()
      try expected.advance([(other, 0, 0..<12)])
      let detourAlone = try expected.advance([(other, 1, 12..<16)])
      try close(detour, detourAlone, step, "a parent leaves its fork alone on \(storage)")
    }
  }

  // MARK: - Schedules

  /// How the tokens of the sequences are cut into calls.
  enum Schedule: CaseIterable {
    /// One token of every sequence a call, all from the start.
    case tokenwise
    /// A prompt of all but three tokens in one call, then decode.
    case prefill
    /// Chunks of seven tokens.
    case chunked
    /// Sequence after sequence joins: prefill of one while the others decode.
    case ragged

    /// `[call][(sequence, tokens)]`
    func calls(_ lengths: [Int]) -> [[(sequence: Int, tokens: Range<Int>)]] {
      var done = lengths.map { _ in 0 }
      var calls: [[(sequence: Int, tokens: Range<Int>)]] = []
      var turn = 0
      while zip(done, lengths).contains(where: { $0 < $1 }) {
        var call: [(sequence: Int, tokens: Range<Int>)] = []
        for sequence in lengths.indices where done[sequence] < lengths[sequence] {
          let left = lengths[sequence] - done[sequence]
          let count: Int
          switch self {
          case .tokenwise: count = 1
          case .prefill: count = done[sequence] == 0 ? max(1, left - 3) : 1
          case .chunked: count = min(7, left)
          case .ragged:
            if turn < sequence { continue }
            count = done[sequence] == 0 ? max(1, left / 2) : 1
          }
          call.append((sequence, done[sequence]..<done[sequence] + count))
          done[sequence] += count
        }
        calls.append(call)
        turn += 1
      }
      return calls
    }
  }

  /// Outputs `[sequence][layer][position][D]` of all tokens under a schedule.
  private func run(
    _ schedule: Schedule, storage: CacheStorage, path: LatentPath = .automatic
  ) throws -> [[[[Float]]]] {
    let runner = try Runner(self, storage: storage, path: path)
    let slots = try Self.lengths.map { _ in try runner.open() }
    var outputs = Self.lengths.map { _ in
      (0..<Self.geometry.layers).map { _ in [[Float]]() }
    }
    for call in schedule.calls(Self.lengths) {
      let results = try runner.advance(call.map { (slots[$0.sequence], $0.sequence, $0.tokens) })
      for (layer, rows) in results.enumerated() {
        var row = 0
        for item in call {
          outputs[item.sequence][layer] += rows[row..<row + item.tokens.count]
          row += item.tokens.count
        }
      }
    }
    return outputs
  }

  /// The layers of the variant on one cache.
  private final class Runner {
    let checker: ConformanceChecker
    let cache: KVCache
    let workspace: AttentionWorkspace

    init(
      _ checker: ConformanceChecker, storage: CacheStorage, path: LatentPath = .automatic
    ) throws {
      self.checker = checker
      cache = try KVCache(
        layouts: checker.layouts,
        plan: CachePlan(storage: storage, sequences: 4, capacity: 41, maxChunk: 41))
      workspace = try AttentionWorkspace(pool: checker.pool, maximumInputs: 128)
      workspace.latentPath = path
    }

    func open() throws -> Int { try cache.addSequence() }

    /// Runs tokens of input sequences through all layers. Returns `[layer][row][D]`.
    @discardableResult
    func advance(
      _ items: [(slot: Int, input: Int, tokens: Range<Int>)]
    ) throws -> [[[Float]]] {
      let plan = BatchPlan(items.map { ($0.slot, $0.tokens.lowerBound, $0.tokens.count) })
      for item in items { try cache.extend(item.slot, by: item.tokens.count) }
      let width = ConformanceChecker.geometry.hidden
      let hidden = try Matrix(rows: plan.tokens, columns: width)
      let output = try Matrix(rows: plan.tokens, columns: width)
      return try checker.modules.enumerated().map { layer, module in
        var row = 0
        for item in items {
          for token in item.tokens {
            (hidden.pointer + row * width).update(
              from: checker.inputs[item.input][layer][token], count: width)
            row += 1
          }
        }
        try module.forward(
          hidden: hidden.view, plan: plan, cache: cache.layer(layer), workspace: workspace,
          output: output.mutableView)
        return (0..<plan.tokens).map { row in
          Array(UnsafeBufferPointer(start: output.pointer + row * width, count: width))
        }
      }
    }
  }

  // MARK: - Comparison

  private func compare(
    _ outputs: [[[[Float]]]], _ expected: [[[[Double]]]], _ tolerance: Double, _ statement: String
  ) throws {
    for sequence in outputs.indices {
      for layer in outputs[sequence].indices {
        for position in outputs[sequence][layer].indices {
          let (actual, wanted) = (
            outputs[sequence][layer][position], expected[sequence][layer][position]
          )
          for index in actual.indices
          where !(abs(Double(actual[index]) - wanted[index]) <= tolerance) {
            throw failure(
              statement,
              "sequence \(sequence), layer \(layer), position \(position): \(actual[index]), expected \(wanted[index]) ± \(tolerance)"
            )
          }
        }
      }
    }
  }

  private func close(
    _ left: [[[Float]]], _ right: [[[Float]]], _ tolerance: Double, _ statement: String
  ) throws {
    try compare([left], [right.map { $0.map { $0.map(Double.init) } }], tolerance, statement)
  }

  private func failure(_ statement: String, _ detail: String) -> ConformanceFailure {
    ConformanceFailure(variant: variant.notation, statement: statement, detail: detail)
  }
}
