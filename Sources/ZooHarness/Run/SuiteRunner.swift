import AttentionCore
import ZooMemory
import ZooRecords

/// How far a run has come; never sent while the clock runs.
public struct RunProgress: Sendable, Hashable {
  /// Cases done or skipped.
  public let done: Int
  /// Cases of the suite.
  public let total: Int
  /// What comes next, one line.
  public let next: String
  /// How much of it is done, from 0 to 1, where that is known.
  public let part: Double?
}

/// What a run left.
public struct RunOutcome: Sendable, Hashable {
  /// Rows appended by this run, in order.
  public let rows: [ResultRow]
  /// The ids of the suite's cases, after ctrl-C of those that it had come to.
  public let cases: Set<String>
  /// Cases left out because a row of the same commit and machine was there.
  public let skipped: Int
  /// Whether ctrl-C ended it.
  public let interrupted: Bool

  /// 130 after ctrl-C, 1 where a case failed, else 0.
  public var exitCode: Int32 {
    if interrupted { return 130 }
    return rows.contains { $0.status == .failed } ? 1 : 0
  }
}

/// Runs the cases of a suite and appends a row as each finishes.
public struct SuiteRunner: Sendable {
  let suite: Suite
  let facts: MachineFacts
  let pool: WorkerPool
  let child: ChildProgram?

  /// - Parameter child: the program that the children of the `max_batch` section run; only a suite
  ///   without that section needs none.
  /// - Throws: `HarnessError` (`usage`) for a suite that cannot start.
  public init(suite: Suite, facts: MachineFacts, child: ChildProgram? = nil) throws(HarnessError) {
    try suite.validate()
    self.suite = suite
    self.facts = facts
    self.child = child
    pool = WorkerPool(threads: suite.threads ?? WorkerPool.availableProcessors)
  }

  var rows: RowAssembly {
    RowAssembly(suite: suite, facts: facts, threads: pool.threads)
  }

  /// Runs all cases that `file` does not have yet.
  ///
  /// Ctrl-C, where `Interruption.watch()` was called, ends the run between two steps: the cases
  /// under way become `interrupted` rows.
  /// - Throws: `RecordError` where a row cannot be written, `HarnessError`.
  public func run(
    into file: RunFile, progress: @escaping @Sendable (RunProgress) -> Void = { _ in }
  ) async throws -> RunOutcome {
    var log = RunLog(file: file, progress: progress)
    let decode = try suite.decodeCases()
    let searches = try MaxBatchCase.cases(of: suite)
    let conversions = suite.fidelity?.variants ?? []
    log.total = decode.count + searches.count + conversions.count
    try runDecode(decode, &log)
    try await runMaxBatch(searches, &log)
    try runFidelity(&log)
    return RunOutcome(
      rows: log.rows, cases: log.cases, skipped: log.skipped, interrupted: Interruption.isRequested)
  }

  private func runDecode(_ cases: [BenchCase], _ log: inout RunLog) throws {
    let models = ModelStore(suite: suite, pool: pool)
    var rows = rows
    if cases.contains(where: { $0.scope == .step }) {
      if let model = suite.model { log.announce("reading \(model)") }
      rows.modelWeights = try models.loadOriginal()
    }
    // What is held of the model already need not be had again.
    let held = rows.modelWeights == nil ? 0 : models.sharedBytes
    let budget = Int(Double(ProcessMemory.available) * suite.memoryFraction) + held
    var fitting: [BenchCase] = []
    for bench in cases where !log.skips(rows.caseID(bench)) {
      let bytes = computedBytes(bench, models)
      if bytes <= budget {
        fitting.append(bench)
      } else {
        try log.append(
          rows.row(
            bench, status: .doesNotFit,
            reason: "needs \(Quantity.text(bytes: bytes)) (\(bytes) bytes computed), more than "
              + "\(Quantity.text(bytes: budget)), \(Int(suite.memoryFraction * 100)) % of the "
              + "available memory", machine: facts.machine()))
      }
    }
    guard !fitting.isEmpty else { return }
    let baseline = ProcessMemory.resident
    let probe = RoofProbe(pool: pool)
    let residence = ModelResidence()
    let shared = models.sharedBytes
    let groups = CaseGroup.groups(
      fitting, budget: budget, bytes: { computedBytes($0, models) },
      shared: { $0.scope == .step ? shared : 0 })
    for group in groups {
      if Interruption.isRequested { return }
      models.keep(group.cases.map(\.variant))
      log.announce(group.cases[0], count: group.cases.count)
      let runner = GroupRunner(
        suite: suite, rows: rows, pool: pool, probe: probe, models: models,
        residence: residence, baseline: baseline, stopped: { Interruption.isRequested })
      for row in try runner.run(group) { try log.append(row) }
    }
  }

  /// Bytes that a case takes at the least: cache, weights, logits.
  private func computedBytes(_ bench: BenchCase, _ models: ModelStore) -> Int {
    let cache = CacheFootprint(layouts: bench.layouts, plan: bench.cachePlan(suite.storage))
    guard bench.scope == .step else { return cache.totalBytes }
    return cache.totalBytes + models.weightBytes(bench.variant)
      + bench.batch * suite.geometry.vocabulary * MemoryLayout<Float>.stride
  }
}

/// The rows of a run on their way to the file.
struct RunLog {
  private let file: RunFile
  private let progress: (RunProgress) -> Void
  private(set) var rows: [ResultRow] = []
  private(set) var cases: Set<String> = []
  private(set) var skipped = 0
  var total = 0

  init(file: RunFile, progress: @escaping (RunProgress) -> Void) {
    self.file = file
    self.progress = progress
  }

  /// Whether a case is in the file already; counts it then.
  mutating func skips(_ caseID: String) -> Bool {
    cases.insert(caseID)
    guard file.finished.contains(caseID) else { return false }
    skipped += 1
    return true
  }

  mutating func append(_ row: ResultRow) throws {
    try file.append(row)
    rows.append(row)
  }

  func announce(_ text: String, part: Double? = nil) {
    progress(RunProgress(done: rows.count + skipped, total: total, next: text, part: part))
  }

  func announce(_ bench: BenchCase, count: Int) {
    let what = count == 1 ? bench.variant.notation : "\(count) variants in turn"
    announce("\(bench.scope.rawValue) \(bench.context) tokens × \(bench.batch): \(what)")
  }
}
