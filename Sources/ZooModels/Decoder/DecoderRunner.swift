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
  private let workspace: AttentionWorkspace
  private var hidden = ScratchBuffer()
  private var normed = ScratchBuffer()
  private var update = ScratchBuffer()
  private var gate = ScratchBuffer()
  private var up = ScratchBuffer()
  private var logits = ScratchBuffer()

  /// - Throws: `OutOfMemory`.
  public init(model: DecoderModel, pool: WorkerPool) throws(OutOfMemory) {
    self.model = model
    self.pool = pool
    let geometry = model.geometry
    let widest = model.layers.reduce(max(geometry.hidden, geometry.mlpWidth)) { widest, layer in
      switch layer.attention {
      case let module as MultiHeadAttention: max(widest, module.output.inputs)
      case let module as LatentAttention: max(widest, module.output.inputs, module.shape.rank)
      default: widest
      }
    }
    workspace = try AttentionWorkspace(pool: pool, maximumInputs: widest)
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
    workspace.mappedBytes + hidden.mappedBytes + normed.mappedBytes + update.mappedBytes
      + gate.mappedBytes + up.mappedBytes + logits.mappedBytes
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
    let geometry = model.geometry
    let count = plan.tokens
    let state = MutableMatrixView(
      try hidden.reserve(count * geometry.hidden), rows: count, columns: geometry.hidden)
    let normalised = MutableMatrixView(
      try normed.reserve(count * geometry.hidden), rows: count, columns: geometry.hidden)
    let change = MutableMatrixView(
      try update.reserve(count * geometry.hidden), rows: count, columns: geometry.hidden)
    for (row, token) in tokens.enumerated() {
      model.embedding.decodeRows(Int(token)..<Int(token) + 1, to: state.row(row))
    }
    for (index, layer) in model.layers.enumerated() {
      normalise(state.view, layer.attentionNorm, normalised)
      try layer.attention.forward(
        hidden: normalised.view, plan: plan, cache: cache.layer(index), workspace: workspace,
        output: change)
      Elementwise.add(change.view, to: state)
      normalise(state.view, layer.mlpNorm, normalised)
      try mlp(layer, normalised.view, change)
      Elementwise.add(change.view, to: state)
    }
    return try project(state.view, plan, rows, normalised)
  }

  private func mlp(_ layer: DecoderLayer, _ input: MatrixView, _ output: MutableMatrixView) throws {
    let width = model.geometry.mlpWidth
    let gated = MutableMatrixView(
      try gate.reserve(input.rows * width), rows: input.rows, columns: width)
    let raised = MutableMatrixView(
      try up.reserve(input.rows * width), rows: input.rows, columns: width)
    let scratch = workspace.linearScratch
    layer.gate.apply(input: input, output: gated, pool: pool, scratch: scratch)
    layer.up.apply(input: input, output: raised, pool: pool, scratch: scratch)
    Elementwise.swiGLU(gate: gated.view, up: raised.view, output: gated)
    layer.down.apply(input: gated.view, output: output, pool: pool, scratch: scratch)
  }

  private func project(
    _ state: MatrixView, _ plan: BatchPlan, _ rows: LogitRows, _ normalised: MutableMatrixView
  ) throws -> MatrixView {
    let vocabulary = model.geometry.vocabulary
    let selected: MutableMatrixView
    switch rows {
    case .none:
      return MatrixView(normalised.view.pointer, rows: 0, columns: vocabulary)
    case .all:
      normalise(state, model.finalNorm, normalised)
      selected = normalised
    case .lastOfEach:
      selected = normalised.rows(0..<plan.entries.count)
      for (row, entry) in plan.entries.enumerated() {
        normalise(
          state.rows(entry.offset + entry.count - 1..<entry.offset + entry.count),
          model.finalNorm, selected.rows(row..<row + 1))
      }
    }
    let result = MutableMatrixView(
      try logits.reserve(selected.rows * vocabulary), rows: selected.rows, columns: vocabulary)
    model.head.apply(
      input: selected.view, output: result, pool: pool, scratch: workspace.linearScratch)
    return result.view
  }

  private func normalise(
    _ input: MatrixView, _ weight: [Float], _ output: MutableMatrixView
  ) {
    weight.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      Elementwise.rmsNorm(
        input: input, weight: base, epsilon: model.settings.normEpsilon, output: output)
    }
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
