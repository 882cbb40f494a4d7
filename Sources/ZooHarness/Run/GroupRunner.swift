import AttentionCore
import ZooMemory
import ZooModels
import ZooRecords

/// Measures one group of cases: fills their caches, then times their steps in turn between two
/// probes of the machine.
struct GroupRunner {
  let suite: Suite
  let rows: RowAssembly
  let pool: WorkerPool
  let probe: RoofProbe
  let models: ModelStore
  /// Resident bytes of the process before any case.
  let baseline: Int
  /// Asked between steps; true ends the group.
  let stopped: () -> Bool

  /// A case that is ready, with what it was seen to take.
  private struct Prepared {
    let bench: BenchCase
    let runner: any DecodeCase
    var memory: ResultRow.Memory
    var kv: ResultRow.KV
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
      let model = bench.scope == .step ? try models.model(bench.variant) : nil
      let before = ProcessMemory.resident
      let canWatch = ProcessMemory.resetPeak()
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
      if !stopped() { try TurnTimer(limits: limits(bench), stopped: stopped).warmUp(runner) }
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
        weightBytes: model?.weightBytes, workspaceBytes: runner.workspaceBytes,
        peakRSSBytes: canWatch
          ? ProcessMemory.peakResident - before + (model?.weightBytes ?? 0) + baseline : nil)
      return .ready(Prepared(bench: bench, runner: runner, memory: memory, kv: kv))
    } catch {
      return .refused(
        rows.row(bench, status: .failed, reason: "\(error)", machine: rows.facts.machine()))
    }
  }

  private func measure(_ ready: [Prepared]) throws -> [ResultRow] {
    guard let first = ready.first else { return [] }
    let timer = TurnTimer(limits: limits(first.bench), stopped: stopped)
    var before = try probe.measure()
    var stable = false
    // A second time where the machine changed under the first.
    for attempt in 0..<2 {
      guard let times = try timer.run(ready.map(\.runner)) else {
        return ready.map { interrupted($0.bench) }
      }
      let after = try probe.measure()
      stable = before.agrees(with: after)
      if stable || attempt == 1 {
        let roofs = before.mean(with: after)
        return try zip(ready, times).map { prepared, times in
          try row(
            prepared, times: times, roofs: roofs, stable: stable,
            round: ready.count > 1 ? round(ready) : nil)
        }
      }
      before = after
    }
    return []
  }

  /// A name for the cases that were timed in turn.
  private func round(_ ready: [Prepared]) -> String {
    CaseKey.hash(ready.map { rows.caseID($0.bench) }.joined(separator: " "))
  }

  private func row(
    _ prepared: Prepared, times: [StepTimes], roofs: MachineRoofs, stable: Bool, round: String?
  ) throws -> ResultRow {
    let bench = prepared.bench
    let step = prepared.runner as? StepCase
    var row = rows.row(
      bench, status: .ok, machine: rows.facts.machine(roofs: roofs, stable: stable))
    row.kv = prepared.kv
    row.memory = prepared.memory
    row.weights?.hash = step?.runner.model.weightHash
    row.decode = rows.decode(
      bench, times: times, roofs: roofs, linear: step.map { LinearWork($0.runner.model) },
      latentPath: step?.runner.latentPath?.rawValue, round: round)
    if let step, let tokens = bench.prefillTokens {
      let time = try StepCase.timeToFirstToken(
        model: step.runner.model, tokens: tokens, storage: suite.storage, seed: suite.seed,
        pool: pool)
      row.prefill = ResultRow.Prefill(
        tokens: tokens, ttftMs: Double(time) / 1e6,
        tokensPerSecond: Double(tokens) * 1e9 / Double(time))
    }
    let remarks = rows.remarks(bench, memory: prepared.memory, kv: prepared.kv)
    row.reason = remarks.isEmpty ? nil : remarks.joined(separator: "; ")
    return row
  }
}
