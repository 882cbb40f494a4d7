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
  /// Sequences that end within a page, at a window, past one, and long after a ring of the widest
  /// sample window has wrapped and pages have been given back.
  static let lengths = [73, 18, 5, 1]
  /// More tokens than any sequence has, so that rings and page pools are smaller than it.
  static let capacity = 96
  static let geometry = geometry(heads: 4)
  static let storages: [CacheStorage] = [
    .ring, .paged(pageTokens: 3), .contiguous, .paged(pageTokens: 1), .paged(pageTokens: 16),
  ]

  /// Six layers of heads of 16 elements.
  static func geometry(heads: Int) -> ModelGeometry {
    ModelGeometry(
      name: "conformance", layers: 6, hidden: 48, queryHeads: heads, keyValueHeads: heads,
      headWidth: 16, mlpWidth: 8, vocabulary: 8, tiedEmbeddings: true, maxPositions: 128)
  }

  let variant: Variant
  let layouts: [KVLayout]
  private let pool: WorkerPool
  private let modules: [any AttentionModule]
  private let runs: [Run]
  /// `[sequence][layer][position][D]`
  private let inputs: [[[[Float]]]]

  /// A schedule on a kind of cache.
  struct Run {
    var schedule: Schedule
    var storage: CacheStorage

    /// Every schedule on every cache.
    static let all = storages.flatMap { storage in
      Schedule.allCases.map { Run(schedule: $0, storage: storage) }
    }

    /// Two schedules on each of three caches; which ones changes from turn to turn, so that
    /// neighbours in a list of variants meet all between them.
    static func some(turn: Int) -> [Run] {
      [0, 1, 3].flatMap { place in
        (0..<2).map { second in
          Run(
            schedule: Schedule.allCases[(turn / 5 + place + 2 * second) % 4],
            storage: storages[(turn + place) % 5])
        }
      }
    }
  }

  /// - Parameter customise: a layer's module with more of its options set.
  init(
    _ notation: String, geometry: ModelGeometry = geometry, registry: AxisRegistry = .standard,
    runs: [Run] = Run.all, pool: WorkerPool,
    customise: (any AttentionModule) throws -> any AttentionModule = { $0 }
  ) throws {
    variant = try registry.variant(notation)
    self.pool = pool
    self.runs = runs
    let model = try DecoderModel(
      randomWeights: geometry, variant: variant, format: .float32, seed: 7, pool: pool)
    layouts = model.layouts
    modules = try model.layers.map { try customise($0.attention) }
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

  /// How far outputs may lie from what is expected: each of them, and the mean of all.
  private struct Tolerance {
    var largest: Double
    var mean: Double
  }

  /// Tolerance of outputs against the reference, which keeps rows in the variant's codec. Outputs
  /// are of order 1, and float32 accumulation stays under 2e-5. A projection whose last bit differs
  /// may round an element the other way: by a relative ε, which moves a score by about
  /// ε·√width·|q·k| and an output by ε, both under 16 ε here. That happens to few elements, so that
  /// the mean stays near that of float32.
  private var tolerance: Tolerance {
    Tolerance(largest: 16 * relativeError + 2e-5, mean: 2e-5 + 2e-2 * relativeError)
  }

  /// The largest of any codec of the variant.
  private var relativeError: Double {
    layouts.flatMap { [$0.codec.first.relativeError, $0.codec.second.relativeError] }.max() ?? 0
  }

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
    let step = Tolerance(largest: 4 * relativeError + 2e-5, mean: tolerance.mean)
    for run in runs where run.schedule != .tokenwise || run.storage != .contiguous {
      let outputs = try self.run(run.schedule, storage: run.storage)
      try compare(outputs, settled, step, "\(run.schedule) on \(run.storage) equals decoding")
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

  /// A kind of cache with pages of whole groups of tokens.
  private func suited(_ storage: CacheStorage) -> CacheStorage {
    guard case .paged(let tokens) = storage else { return storage }
    // The samples' groups are multiples of one another.
    let group = layouts.flatMap(\.groupTokens).max() ?? 1
    return .paged(pageTokens: (tokens + group - 1) / group * group)
  }

  /// Allocated bytes are the layout's plus stated rounding and metadata, for every cache.
  private func checkBytes() throws {
    for storage in Self.storages.map(suited) {
      let plan = CachePlan(storage: storage, sequences: 3, capacity: Self.capacity, maxChunk: 8)
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
      let ideal = layouts.reduce(0) { $0 + $1.idealBytes(context: Self.capacity) } * 3
      guard footprint.rowBytes - footprint.roundingBytes >= ideal else {
        throw failure("a cache holds at least the ideal bytes", "\(footprint) below \(ideal)")
      }
    }
  }

  /// A fork and its parent diverge without touching each other, whatever the cache, also where
  /// either is truncated and goes on with other rows.
  private func checkForks(_ step: Tolerance) throws {
    /// Tokens of sequence 0 at their places, and other rows at these places.
    func straight(_ tokens: Range<Int>) -> Input { Input(start: tokens.lowerBound, rows: tokens) }
    func detour(at start: Int, _ rows: Range<Int>) -> Input { Input(start: start, rows: rows) }
    /// What decoding inputs one after the other gives for the last, alone in a plain cache.
    func alone(_ inputs: Input...) throws -> [[[Float]]] {
      let runner = try Runner(self, storage: .contiguous, maxChunk: Self.capacity)
      let slot = try runner.open()
      return try inputs.map { try runner.advance(slot, $0) }.last ?? []
    }
    let longAlone = try alone(straight(0..<38), straight(38..<44))
    let parentAlone = try alone(straight(0..<37), detour(at: 37, 3..<7))
    let childAlone = try alone(straight(0..<40), detour(at: 40, 50..<56))
    let laterAlone = try alone(
      straight(0..<37), detour(at: 37, 3..<7), detour(at: 41, 60..<66))
    for storage in Set(runs.map(\.storage)).sorted(by: { "\($0)" < "\($1)" }) {
      let runner = try Runner(self, storage: storage, maxChunk: 8)
      let parent = try runner.open()
      for first in stride(from: 0, to: 40, by: 8) {
        try runner.advance(parent, straight(first..<first + 8))
      }
      let child = try runner.cache.fork(parent, at: 38)
      // The parent goes on first, with other rows from before the place of the fork.
      try runner.cache.truncate(parent, to: 37)
      let parentOut = try runner.advance(parent, detour(at: 37, 3..<7))
      try close(parentOut, parentAlone, step, "a truncated parent takes other rows on \(storage)")
      let childOut = try runner.advance(child, straight(38..<44))
      try close(childOut, longAlone, step, "a parent leaves its fork alone on \(storage)")
      try runner.cache.truncate(child, to: 40)
      let again = try runner.advance(child, detour(at: 40, 50..<56))
      try close(again, childAlone, step, "a truncated fork takes other rows on \(storage)")
      let later = try runner.advance(parent, detour(at: 41, 60..<66))
      try close(later, laterAlone, step, "a fork leaves its parent alone on \(storage)")
    }
  }

  // MARK: - Schedules

  /// How the tokens of the sequences are cut into calls.
  enum Schedule: CaseIterable {
    /// One token of every sequence a call, all from the start.
    case tokenwise
    /// All but three tokens in calls of at most 24, then decode.
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
          case .prefill: count = min(24, max(1, left - 3))
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
  func run(
    _ schedule: Schedule, storage: CacheStorage, path: LatentPath = .automatic
  ) throws -> [[[[Float]]]] {
    let calls = schedule.calls(Self.lengths)
    let runner = try Runner(
      self, storage: storage, maxChunk: calls.joined().map(\.tokens.count).max() ?? 1, path: path)
    let slots = try Self.lengths.map { _ in try runner.open() }
    var outputs = Self.lengths.map { _ in
      layouts.map { _ in [[Float]]() }
    }
    for call in calls {
      let results = try runner.advance(
        call.map {
          Item(
            slot: slots[$0.sequence], sequence: $0.sequence,
            input: Input(start: $0.tokens.lowerBound, rows: $0.tokens))
        })
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

  /// Hidden states of a sequence, by index, for the tokens from `start` on.
  struct Input {
    var start: Int
    var rows: Range<Int>
  }

  /// One sequence's part of a call.
  struct Item {
    var slot: Int
    /// The sequence whose hidden states are taken.
    var sequence = 0
    var input: Input
  }

  /// The layers of the variant on one cache.
  private final class Runner {
    let checker: ConformanceChecker
    let cache: KVCache
    let workspace: AttentionWorkspace

    init(
      _ checker: ConformanceChecker, storage: CacheStorage, maxChunk: Int,
      path: LatentPath = .automatic
    ) throws {
      self.checker = checker
      cache = try KVCache(
        layouts: checker.layouts,
        plan: CachePlan(
          storage: checker.suited(storage), sequences: ConformanceChecker.lengths.count,
          capacity: ConformanceChecker.capacity, maxChunk: maxChunk))
      workspace = try AttentionWorkspace(pool: checker.pool, maximumInputs: 256)
      workspace.latentPath = path
    }

    func open() throws -> Int { try cache.addSequence() }

    /// Runs hidden states of sequence 0. Returns `[layer][row][D]`.
    @discardableResult
    func advance(_ slot: Int, _ input: Input) throws -> [[[Float]]] {
      try advance([Item(slot: slot, input: input)])
    }

    /// Runs tokens through all layers, in several calls where a codec takes no call across a group
    /// of tokens. Returns `[layer][row][D]`.
    func advance(_ items: [Item]) throws -> [[[Float]]] {
      var left = items
      // `[layer][item][row][D]`
      var results = checker.modules.map { _ in items.map { _ in [[Float]]() } }
      while left.contains(where: { !$0.input.rows.isEmpty }) {
        var call: [(place: Int, item: Item)] = []
        for place in left.indices where !left[place].input.rows.isEmpty {
          var item = left[place]
          let count = try cache.nextChunk(of: item.slot, atMost: item.input.rows.count)
          item.input.rows = item.input.rows.prefix(count)
          left[place].input.rows = left[place].input.rows.dropFirst(count)
          left[place].input.start += count
          call.append((place, item))
        }
        for (layer, rows) in try forward(call.map(\.item)).enumerated() {
          var row = 0
          for (place, item) in call {
            results[layer][place] += rows[row..<row + item.input.rows.count]
            row += item.input.rows.count
          }
        }
      }
      return results.map { $0.flatMap { $0 } }
    }

    private func forward(_ items: [Item]) throws -> [[[Float]]] {
      let plan = BatchPlan(items.map { ($0.slot, $0.input.start, $0.input.rows.count) })
      for item in items { try cache.extend(item.slot, by: item.input.rows.count) }
      let width = ConformanceChecker.geometry.hidden
      let hidden = try Matrix(rows: plan.tokens, columns: width)
      let output = try Matrix(rows: plan.tokens, columns: width)
      return try checker.modules.enumerated().map { layer, module in
        var row = 0
        for item in items {
          for token in item.input.rows {
            (hidden.pointer + row * width).update(
              from: checker.inputs[item.sequence][layer][token], count: width)
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
    _ outputs: [[[[Float]]]], _ expected: [[[[Double]]]], _ tolerance: Tolerance,
    _ statement: String
  ) throws {
    var sum = 0.0
    var count = 0
    for sequence in outputs.indices {
      for layer in outputs[sequence].indices {
        for position in outputs[sequence][layer].indices {
          let (actual, wanted) = (
            outputs[sequence][layer][position], expected[sequence][layer][position]
          )
          for index in actual.indices {
            let error = abs(Double(actual[index]) - wanted[index])
            guard error <= tolerance.largest else {
              throw failure(
                statement,
                "sequence \(sequence), layer \(layer), position \(position): \(actual[index]), expected \(wanted[index]) ± \(tolerance.largest)"
              )
            }
            sum += error
            count += 1
          }
        }
      }
    }
    guard count == 0 || sum / Double(count) <= tolerance.mean else {
      throw failure(
        statement,
        "the mean error is \(sum / Double(count)), expected at most \(tolerance.mean)")
    }
  }

  private func close(
    _ left: [[[Float]]], _ right: [[[Float]]], _ tolerance: Tolerance, _ statement: String
  ) throws {
    try compare([left], [right.map { $0.map { $0.map(Double.init) } }], tolerance, statement)
  }

  private func failure(_ statement: String, _ detail: String) -> ConformanceFailure {
    ConformanceFailure(variant: variant.notation, statement: statement, detail: detail)
  }
}
