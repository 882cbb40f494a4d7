import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Runs a decoder: its scratch memory and its threads. One forward call at a time.
public final class DecoderRunner: @unchecked Sendable {
  /// Which rows of a call get logits.
  public enum LogitRows: Sendable {
    case none
    /// The last token of every sequence, in the plan's order.
    case lastOfEach
    /// Every token.
    case all
  }

  public let model: DecoderModel
  public let pool: WorkerPool
  private let layers: DecoderLayerRunner
  private var hidden = ScratchBuffer()
  private var selected = ScratchBuffer()

  private var workspace: AttentionWorkspace { layers.workspace }

  /// - Throws: `OutOfMemory`.
  public init(model: DecoderModel, pool: WorkerPool) throws(OutOfMemory) {
    self.model = model
    self.pool = pool
    let widest = model.layers.reduce(model.geometry.hidden) { max($0, $1.widestInputs) }
    layers = try DecoderLayerRunner(pool: pool, maximumInputs: widest)
  }

  /// Times of the attention phases since they were last reset.
  public var phases: PhaseTimes { workspace.phases }

  /// Sets the times of the phases to zero.
  public func resetPhases() { workspace.phases = PhaseTimes() }

  /// The path that latent attention last took, `.automatic` where the sequences of a call took
  /// different ones; nil without latent attention.
  public var latentPath: LatentPath? { workspace.lastLatentPath }

  /// Bytes of scratch held now.
  public var workspaceBytes: Int {
    layers.workspaceBytes + hidden.mappedBytes + selected.mappedBytes
  }

  /// Runs the tokens of a plan through every layer and appends their rows to the cache.
  ///
  /// - Parameters:
  ///   - tokens: `plan.tokens` ids, sequence after sequence.
  ///   - plan: every entry starts at its sequence's length in the cache.
  /// - Returns: logits, one row a requested token, valid until the next call.
  /// - Throws: `CacheError` where the cache has no room or memory is refused; the cache is as
  ///   before then. `TokenError` for an id outside the vocabulary.
  @discardableResult
  public func forward(
    tokens: UnsafeBufferPointer<Int32>, plan: BatchPlan, cache: KVCache,
    logits rows: LogitRows = .lastOfEach
  ) throws -> MatrixView {
    precondition(tokens.count == plan.tokens, "one token id a row of the plan")
    for token in tokens where token < 0 || Int(token) >= model.geometry.vocabulary {
      throw TokenError(id: Int(token), vocabulary: model.geometry.vocabulary)
    }
    try extend(cache, plan)
    do {
      return try run(tokens, plan, cache, rows)
    } catch {
      for entry in plan.entries { try? cache.truncate(entry.sequence, to: entry.start) }
      throw error
    }
  }

  /// `forward` for an array of ids.
  @discardableResult
  public func forward(
    tokens: [Int32], plan: BatchPlan, cache: KVCache, logits rows: LogitRows = .lastOfEach
  ) throws -> MatrixView {
    try tokens.withUnsafeBufferPointer {
      try forward(tokens: $0, plan: plan, cache: cache, logits: rows)
    }
  }

  private func extend(_ cache: KVCache, _ plan: BatchPlan) throws(CacheError) {
    for (index, entry) in plan.entries.enumerated() {
      do {
        let length = try cache.length(of: entry.sequence)
        precondition(length == entry.start, "a plan's entry starts at the end of its sequence")
        try cache.extend(entry.sequence, by: entry.count)
      } catch {
        for done in plan.entries[..<index] { try? cache.truncate(done.sequence, to: done.start) }
        throw error
      }
    }
  }

  private func run(
    _ tokens: UnsafeBufferPointer<Int32>, _ plan: BatchPlan, _ cache: KVCache, _ rows: LogitRows
  ) throws -> MatrixView {
    let (count, width) = (plan.tokens, model.geometry.hidden)
    let state = MutableMatrixView(
      try hidden.reserve(count * width), rows: count, columns: width)
    layers.embed(tokens, table: model.embedding, settings: model.settings, to: state)
    for (index, layer) in model.layers.enumerated() {
      try layers.run(
        layer, settings: model.settings, hidden: state, plan: plan, cache: cache.layer(index))
    }
    let wanted: MatrixView
    switch rows {
    case .none:
      return MatrixView(state.view.pointer, rows: 0, columns: model.geometry.vocabulary)
    case .all: wanted = state.view
    case .lastOfEach:
      // One row a sequence: where every sequence has one token they are all rows.
      wanted = count == plan.entries.count ? state.view : try lastRows(of: state.view, plan)
    }
    return try layers.logits(
      wanted, finalNorm: model.finalNorm, head: model.head, settings: model.settings)
  }

  private func lastRows(of state: MatrixView, _ plan: BatchPlan) throws(OutOfMemory) -> MatrixView {
    let rows = MutableMatrixView(
      try selected.reserve(plan.entries.count * state.columns), rows: plan.entries.count,
      columns: state.columns)
    for (row, entry) in plan.entries.enumerated() {
      rows.row(row).update(
        from: state.row(entry.offset + entry.count - 1), count: state.columns)
    }
    return rows.view
  }
}

/// A token id that the model does not have.
public struct TokenError: Error, Sendable, CustomStringConvertible {
  public let id: Int
  public let vocabulary: Int

  public var description: String {
    "token id \(id) is outside the vocabulary of \(vocabulary)"
  }
}
