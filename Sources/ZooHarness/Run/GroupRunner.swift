import AttentionCore
import ZooMemory
import ZooModels
import ZooRecords

/// Measures one group of cases: fills their caches, then times their steps in turn between probes
/// of the machine.
struct GroupRunner {
  let suite: Suite
  let rows: RowAssembly
  let pool: WorkerPool
  let probe: RoofProbe
  let models: ModelStore
  let residence: ModelResidence
  /// Resident bytes of the process before any case.
  let baseline: Int
  /// Asked between steps; true ends the group.
  let stopped: () -> Bool

  /// A case that is ready, with what it was seen to take.
  private struct Prepared {
    let bench: BenchCase
    let runner: any DecodeCase
    /// Resident bytes that it took at the most while it was made, and takes since; nil where the
    /// system does not say.
    let resident: (peak: Int, settled: Int)?
    var memory: ResultRow.Memory
    var kv: ResultRow.KV
  }

  /// What was measured of one case.
  private struct Measured {
    var times: [StepTimes]
    /// Most that the resident set grew while steps and first token were timed.
    var growth = 0
    var firstToken: (nanoseconds: Int64, bytes: Int)?
  }

  /// What became of a case before its steps were timed.
  private enum Preparation {
    case ready(Prepared)
    case refused(ResultRow)
  }

  /// The rows of the group's cases, in their order.
  func run(_ group: CaseGroup) throws -> [ResultRow] {
    var ready: [Prepared] = []
    var refused: [ResultRow] = []
    for bench in group.cases {
      if stopped() { break }
      switch prepare(bench) {
      case .ready(let prepared): ready.append(prepared)
      case .refused(let row): refused.append(row)
      }
    }
    if stopped() {
      let known = Set(refused.map(\.caseID))
      return refused
        + group.cases.filter { !known.contains(rows.caseID($0)) }.map(interrupted)
    }
    return refused + (try measure(ready))
  }

  private func warmUp(_ runner: any DecodeCase, _ bench: BenchCase) throws {
    try TurnTimer(limits: limits(bench), cases: 1, stopped: stopped).warmUp(runner)
  }

  private func limits(_ bench: BenchCase) -> Suite.Limits {
    suite.limits(context: bench.context, batch: bench.batch)
  }

  private func interrupted(_ bench: BenchCase) -> ResultRow {
    rows.row(
      bench, status: .interrupted, reason: "stopped by ctrl-C", machine: rows.facts.machine())
  }

  /// Allocates, fills and warms up one case, and watches what memory that takes beside the cases
  /// that are there already.
  private func prepare(_ bench: BenchCase) -> Preparation {
    do {
      let before = ProcessMemory.resident
      let canWatch = ProcessMemory.resetPeak()
      let model = bench.scope == .step ? try models.model(bench.variant) : nil
      // Weights that an earlier case made are resident already.
      let shared = model.flatMap { residence.bytes(of: $0, bench.variant) }
      if let model, shared == nil {
        residence.record(model, bench.variant, bytes: max(0, ProcessMemory.resident - before))
      }
      let runner: any DecodeCase =
        if let model {
          try StepCase(
            bench, model: model, storage: suite.storage, seed: suite.seed, pool: pool,
            stopped: stopped)
        } else {
          try AttentionCase(
            bench, geometryHeadWidth: suite.geometry.headWidth, storage: suite.storage,
            seed: suite.seed, pool: pool, stopped: stopped)
        }
      if !stopped() { try warmUp(runner, bench) }
      var kv = bench.bytes(suite.storage)
      guard runner.cache.allocatedBytes == kv.allocatedBytes else {
        return .refused(
          rows.row(
            bench, status: .failed,
            reason: "the cache holds \(runner.cache.allocatedBytes) bytes, its layout claims "
              + "\(kv.allocatedBytes ?? 0)", machine: rows.facts.machine()))
      }
      kv.metadataBytes = runner.cache.metadataBytes
      let memory = ResultRow.Memory(
        weightBytes: model?.weightBytes, workspaceBytes: runner.workspaceBytes)
      let others = before - (shared ?? 0)
      let resident = (
        peak: ProcessMemory.peakResident - others, settled: ProcessMemory.resident - others
      )
      return .ready(
        Prepared(
          bench: bench, runner: runner, resident: canWatch ? resident : nil, memory: memory,
          kv: kv))
    } catch {
      let isMeaningless = error is ConversionError || error is NotationError
      return .refused(
        rows.row(
          bench, status: isMeaningless ? .unsupported : .failed, reason: "\(error)",
          machine: rows.facts.machine()))
    }
  }

  private func measure(_ ready: [Prepared]) throws -> [ResultRow] {
    guard let first = ready.first else { return [] }
    var roofs = ProbedRoofs(try probe.measure())
    var timer = TurnTimer(limits: limits(first.bench), cases: ready.count, stopped: stopped)
    var growth = 0
    while !timer.isDone {
      let begin = timer
      guard
        let (segment, grown) = try probed(
          &roofs,
          {
            try watched {
              try begin.segment(ready.map(\.runner))
            }
          })
      else { return ready.map { interrupted($0.bench) } }
      timer = segment
      growth = max(growth, grown)
    }
    var measured = timer.samples.map { Measured(times: $0, growth: growth) }
    if ready.contains(where: { $0.bench.prefillTokens != nil }) {
      guard let firsts = try probed(&roofs, { try firstTokens(ready) }) else {
        return ready.map { interrupted($0.bench) }
      }
      for (index, first) in firsts {
        measured[index].firstToken = (first.nanoseconds, first.bytes)
        measured[index].growth = max(growth, first.growth)
      }
    }
    let name = ready.count > 1 ? round(ready) : nil
    return zip(ready, measured).map { row($0, $1, roofs: roofs, round: name) }
  }

  /// What `body` gives between two probes that agree; the second time at the latest, whether they
  /// agree or not. Nil when stopped before the end.
  private func probed<Result>(
    _ roofs: inout ProbedRoofs, _ body: () throws -> Result?
  ) throws -> Result? {
    for attempt in 0..<2 {
      let begin = MonotonicClock.nanoseconds()
      guard let result = try body() else { return nil }
      let seconds = Double(MonotonicClock.nanoseconds() - begin) / 1e9
      let after = try probe.measure()
      if roofs.last.agrees(with: after) || attempt == 1 {
        roofs.keep(until: after, seconds: seconds)
        return result
      }
      roofs.last = after
    }
    return nil
  }

  /// Time to first token of the cases that measure it, with bytes and growth, by their places; nil
  /// when stopped before the end.
  private func firstTokens(
    _ ready: [Prepared]
  ) throws -> [Int: (nanoseconds: Int64, bytes: Int, growth: Int)]? {
    var measured: [Int: (nanoseconds: Int64, bytes: Int, growth: Int)] = [:]
    for (index, prepared) in ready.enumerated() {
      guard let step = prepared.runner as? StepCase, let tokens = prepared.bench.prefillTokens
      else { continue }
      let first = try watched {
        let prompt = try FirstToken(
          model: step.runner.model, tokens: tokens, storage: suite.storage, seed: suite.seed,
          pool: pool)
        return try prompt.measure(stopped: stopped).map { ($0, prompt.bytes) }
      }
      guard let ((time, bytes), growth) = first else { return nil }
      measured[index] = (time, bytes, growth)
    }
    return measured
  }

  /// A result, and the most that the resident set grew meanwhile; nil where there is no result.
  private func watched<Result>(_ body: () throws -> Result?) rethrows -> (Result, growth: Int)? {
    ProcessMemory.resetPeak()
    let before = ProcessMemory.resident
    guard let result = try body() else { return nil }
    return (result, max(0, ProcessMemory.peakResident - before))
  }

  /// A name for the cases that were timed in turn, and for this turn alone.
  private func round(_ ready: [Prepared]) -> String {
    let cases = ready.map { rows.caseID($0.bench) }.joined(separator: " ")
    return CaseKey.hash("\(rows.facts.machine().date) \(cases)")
  }

  private func row(
    _ prepared: Prepared, _ measured: Measured, roofs: ProbedRoofs, round: String?
  ) -> ResultRow {
    let stable = roofs.areStable
    let roofs = roofs.mean
    let bench = prepared.bench
    let step = prepared.runner as? StepCase
    var row = rows.row(
      bench, status: .ok, machine: rows.facts.machine(roofs: roofs, stable: stable))
    row.kv = prepared.kv
    row.memory = prepared.memory
    row.memory?.peakRSSBytes = prepared.resident.map {
      baseline + max($0.peak, $0.settled + measured.growth)
    }
    row.weights?.hash = step?.runner.model.weightHash
    row.decode = rows.decode(
      bench, times: measured.times, roofs: roofs, linear: step.map { LinearWork($0.runner.model) },
      latentPath: step?.runner.latentPath?.rawValue, round: round)
    if let first = measured.firstToken, let tokens = bench.prefillTokens {
      row.prefill = ResultRow.Prefill(
        tokens: tokens, ttftMs: Double(first.nanoseconds) / 1e6,
        tokensPerSecond: Double(tokens) * 1e9 / Double(first.nanoseconds))
    }
    let remarks = rows.remarks(
      row.memory ?? prepared.memory, kv: prepared.kv,
      prefillBytes: measured.firstToken?.bytes ?? 0)
    row.reason = remarks.isEmpty ? nil : remarks.joined(separator: "; ")
    return row
  }
}
