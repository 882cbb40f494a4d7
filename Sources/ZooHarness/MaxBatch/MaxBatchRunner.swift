import AttentionCore
import ZooMemory
import ZooPlanner
import ZooRecords

/// Runs the searches of a suite in child processes under a hard limit.
struct MaxBatchRunner {
  let suite: Suite
  let rows: RowAssembly
  let child: ChildProgram
  let pool: WorkerPool

  /// Why a search ended without a result.
  private struct SearchFailure: Error {
    var status: RowStatus
    var reason: String
  }

  /// A child past its own limit of time has this long to end.
  private static let grace = 30.0

  /// Bytes that a process takes beside weights, cache and workspace: a child whose cache holds
  /// nothing but the chunk that every child runs, without a limit.
  func fixedOverhead(_ search: MaxBatchCase) async throws(HarnessError) -> Int {
    let tokens = MaxBatchChild.chunk + MaxBatchChild.steps
    let request = search.request(
      suite, threads: rows.threads, batch: 1, context: tokens, limit: nil)
    switch await child.run(request, patience: request.seconds + Self.grace) {
    case .ran(let reply): return reply.overheadBytes
    case .outOfMemory:
      throw HarnessError(.outOfMemory, "a child with an empty cache was refused memory")
    case .killed(let signal):
      throw HarnessError(
        .internalError, "a child with an empty cache was ended by signal \(signal)")
    case .timedOut:
      throw HarnessError(.internalError, "a child with an empty cache did not end in time")
    case .failed(let reason): throw HarnessError(.internalError, reason)
    }
  }

  /// Why a search cannot run on this machine.
  func tooLarge(_ search: MaxBatchCase) -> String {
    "the budget of \(Quantity.text(bytes: search.budgetBytes)) is more than "
      + "\(Int(suite.memoryFraction * 100)) % of the available "
      + Quantity.text(bytes: ProcessMemory.available)
  }

  func caseID(_ search: MaxBatchCase) -> String {
    rows.key(
      scope: .maxBatch, variant: search.variant, context: search.context, batch: 0,
      weights: rows.randomWeights, filledBy: .synthetic,
      extra: [
        "budget": "\(search.budgetBytes)", "seconds": "\(suite.maxBatch?.secondsPerChild ?? 0)",
        "chunk": "\(MaxBatchChild.chunk)", "steps": "\(MaxBatchChild.steps)",
      ]
    ).hash
  }

  /// A row without a search: what can be said before.
  func row(
    _ search: MaxBatchCase, status: RowStatus, reason: String?, overhead: Int? = nil,
    computed: ZooPlanner.MaxBatch? = nil
  ) -> ResultRow {
    var row = rows.base(
      caseID: caseID(search), scope: .maxBatch, variant: search.variant, context: search.context,
      batch: computed?.sequences ?? 0, machine: rows.facts.machine())
    row.status = status
    row.reason = reason.map(RowAssembly.oneLine)
    row.weights = rows.randomWeights
    row.filledBy = .synthetic
    row.maxBatch = ResultRow.MaxBatch(
      budgetBytes: search.budgetBytes,
      budgetRule: suite.maxBatch.flatMap { $0.budget.dependsOnWeights ? "\($0.budget)" : nil },
      fixedOverheadBytes: overhead,
      computed: computed?.sequences, limitedBy: computed?.limitedBy.rawValue)
    return row
  }

  /// Searches one variant at one context.
  /// - Parameter roofs: of the machine, for the row.
  func run(_ search: MaxBatchCase, overhead: Int, roofs: MachineRoofs) async -> ResultRow {
    let computed: ZooPlanner.MaxBatch
    do {
      computed = try search.computed(suite, threads: rows.threads)
    } catch {
      return row(search, status: .failed, reason: "\(error)", overhead: overhead)
    }
    let limit = search.budgetBytes + overhead
    let available = ProcessMemory.available
    guard Double(limit) <= Double(available) * suite.memoryFraction else {
      return row(
        search, status: .doesNotFit,
        reason: "the budget needs \(limit) bytes, more than \(Int(suite.memoryFraction * 100)) % "
          + "of the \(available) available", overhead: overhead, computed: computed)
    }
    var replies: [Int: ChildReply] = [:]
    do throws(SearchFailure) {
      let measured = try await BatchSearch(computed: computed.sequences).largest {
        batch async throws(SearchFailure) in
        let reply = try await trial(search, batch: batch, limit: limit)
        replies[batch] = reply
        return reply != nil
      }
      return finished(
        search, overhead: overhead, computed: computed, measured: measured,
        reply: replies[measured], roofs: roofs)
    } catch {
      return row(
        search, status: error.status, reason: error.reason, overhead: overhead,
        computed: computed)
    }
  }

  /// One child; nil where it was refused memory.
  private func trial(
    _ search: MaxBatchCase, batch: Int, limit: Int
  ) async throws(SearchFailure) -> ChildReply? {
    if Interruption.isRequested {
      throw SearchFailure(status: .interrupted, reason: "stopped by ctrl-C")
    }
    let request = search.request(suite, threads: rows.threads, batch: batch, limit: limit)
    let ending = await child.run(request, patience: request.seconds + Self.grace)
    if Interruption.isRequested {
      throw SearchFailure(status: .interrupted, reason: "stopped by ctrl-C")
    }
    switch ending {
    case .ran(let reply): return reply
    case .outOfMemory: return nil
    case .killed(let signal):
      throw SearchFailure(
        status: .failed,
        reason: "a child of batch \(batch) was ended from outside by signal \(signal), not by its "
          + "limit of \(limit) bytes")
    case .timedOut:
      throw SearchFailure(
        status: .failed,
        reason: "a child of batch \(batch) was still running after "
          + "\(Int(request.seconds + Self.grace)) s")
    case .failed(let reason):
      throw SearchFailure(status: .failed, reason: "batch \(batch): \(reason)")
    }
  }

  private func finished(
    _ search: MaxBatchCase, overhead: Int, computed: ZooPlanner.MaxBatch, measured: Int,
    reply: ChildReply?, roofs: MachineRoofs
  ) -> ResultRow {
    var row = row(search, status: .ok, reason: nil, overhead: overhead, computed: computed)
    row.machine = rows.facts.machine(roofs: roofs)
    row.batch = measured
    row.maxBatch?.measured = measured
    if let reply {
      let bench = BenchCase(
        scope: .maxBatch, variant: search.variant, layouts: search.layouts,
        context: search.context, batch: measured, prefillTokens: nil)
      row.kv = bench.bytes(suite.storage)
      row.kv?.allocatedBytes = reply.cacheBytes
      row.kv?.metadataBytes = reply.metadataBytes
      row.memory = ResultRow.Memory(
        weightBytes: reply.weightBytes, workspaceBytes: reply.workspaceBytes)
      if !reply.stepSeconds.isEmpty {
        row.maxBatch?.tokensPerSecondAtMax =
          Double(measured) / Quantile.median(reply.stepSeconds)
        row.maxBatch?.rateOrigin = .measured
      }
    }
    let allowed = max(1, computed.sequences / 50)
    if abs(measured - computed.sequences) > allowed {
      row.status = .failed
      row.reason =
        "computed \(computed.sequences) and measured \(measured) differ by more than 2 % and one "
        + "sequence"
    }
    return row
  }
}

extension SuiteRunner {
  /// Runs the `max_batch` section.
  func runMaxBatch(_ searches: [MaxBatchCase], _ log: inout RunLog) async throws {
    guard !searches.isEmpty, !Interruption.isRequested else { return }
    guard let child else {
      throw HarnessError(.internalError, "the max_batch section needs a program to run as a child")
    }
    let runner = MaxBatchRunner(suite: suite, rows: rows, child: child, pool: pool)
    // No child without a limit may take what the machine does not have.
    let most = Double(ProcessMemory.available) * suite.memoryFraction
    var open: [MaxBatchCase] = []
    for search in searches where !log.skips(runner.caseID(search)) {
      if Double(search.budgetBytes) <= most {
        open.append(search)
      } else {
        try log.append(runner.row(search, status: .doesNotFit, reason: runner.tooLarge(search)))
      }
    }
    guard let first = open.first else { return }
    log.announce("max_batch: fixed overhead of a child with an empty cache")
    let overhead: Int
    do {
      overhead = try await runner.fixedOverhead(first)
    } catch {
      if Interruption.isRequested { return }
      for search in open {
        try log.append(runner.row(search, status: .failed, reason: error.message))
      }
      return
    }
    let roofs = try RoofProbe(pool: pool).measure()
    for search in open {
      if Interruption.isRequested { return }
      log.announce("max_batch \(search.context) tokens: \(search.variant.notation)")
      try log.append(await runner.run(search, overhead: overhead, roofs: roofs))
    }
  }
}
