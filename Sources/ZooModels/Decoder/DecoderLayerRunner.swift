import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Runs decoder layers one at a time, whatever model they are of: what the whole decoder, conversion
/// and streaming evaluation are made of. It holds scratch memory and uses the threads of a pool; one
/// call at a time.
public final class DecoderLayerRunner: @unchecked Sendable {
  public let pool: WorkerPool
  let workspace: AttentionWorkspace
  private var normed = ScratchBuffer()
  private var update = ScratchBuffer()
  private var head = ScratchBuffer()
  private var feedForward = FeedForwardScratch()

  /// - Parameter maximumInputs: the widest operand of any linear map, where it is known; scratch
  ///   grows with the layers otherwise.
  /// - Throws: `OutOfMemory`.
  public init(pool: WorkerPool, maximumInputs: Int = 1) throws(OutOfMemory) {
    self.pool = pool
    workspace = try AttentionWorkspace(pool: pool, maximumInputs: maximumInputs)
  }

  /// Bytes of scratch held now.
  public var workspaceBytes: Int {
    workspace.mappedBytes + normed.mappedBytes + update.mappedBytes + head.mappedBytes
      + feedForward.mappedBytes
  }

  /// The hidden states of tokens before the first layer: rows of the embedding, scaled.
  /// - Parameters:
  ///   - table: `[V × D]`.
  ///   - hidden: `[tokens × D]`; overwritten.
  /// - Precondition: ids are within the vocabulary.
  public func embed(
    _ tokens: UnsafeBufferPointer<Int32>, table: WeightMatrix, settings: DecoderSettings,
    to hidden: MutableMatrixView
  ) {
    for (row, token) in tokens.enumerated() {
      let target = hidden.row(row)
      table.decodeRows(Int(token)..<Int(token) + 1, to: target)
      if settings.embeddingScale != 1 {
        for column in 0..<hidden.columns { target[column] *= settings.embeddingScale }
      }
    }
  }

  /// Runs one layer over the tokens of a plan and appends their rows to its cache.
  ///
  /// - Parameters:
  ///   - hidden: `[ΣT × D]`, the hidden states before the layer; those after it when done.
  ///   - plan: every entry starts at its sequence's length in the cache, which has been extended for
  ///     the plan's tokens.
  /// - Throws: `CacheError`, `OutOfMemory`; `hidden` may be changed then.
  public func run(
    _ layer: DecoderLayer, settings: DecoderSettings, hidden: MutableMatrixView, plan: BatchPlan,
    cache: LayerCache
  ) throws {
    let (rows, width) = (hidden.rows, hidden.columns)
    try workspace.reserve(maximumInputs: layer.widestInputs)
    let normalised = MutableMatrixView(
      try normed.reserve(rows * width), rows: rows, columns: width)
    let change = MutableMatrixView(try update.reserve(rows * width), rows: rows, columns: width)
    normalise(hidden.view, layer.attentionNorm, settings, normalised)
    try layer.attention.forward(
      hidden: normalised.view, plan: plan, cache: cache, workspace: workspace, output: change)
    if let norm = layer.attentionOutputNorm { normalise(change.view, norm, settings, change) }
    Elementwise.add(change.view, to: hidden)
    normalise(hidden.view, layer.mlpNorm, settings, normalised)
    try feedForward.apply(
      layer.feedForward, input: normalised.view, output: change, pool: pool,
      linear: workspace.linearScratch)
    if let norm = layer.mlpOutputNorm { normalise(change.view, norm, settings, change) }
    Elementwise.add(change.view, to: hidden)
  }

  /// Logits of hidden states after the last layer.
  /// - Parameters:
  ///   - hidden: `[rows × D]`.
  ///   - head: `[V × D]`.
  /// - Returns: `[rows × V]`, valid until the next call.
  /// - Throws: `OutOfMemory`.
  public func logits(
    _ hidden: MatrixView, finalNorm: [Float], head output: Linear, settings: DecoderSettings
  ) throws(OutOfMemory) -> MatrixView {
    try workspace.reserve(maximumInputs: output.inputs)
    let normalised = MutableMatrixView(
      try normed.reserve(hidden.rows * hidden.columns), rows: hidden.rows,
      columns: hidden.columns)
    normalise(hidden, finalNorm, settings, normalised)
    let result = MutableMatrixView(
      try head.reserve(hidden.rows * output.outputs), rows: hidden.rows, columns: output.outputs)
    output.apply(
      input: normalised.view, output: result, pool: pool, scratch: workspace.linearScratch)
    if settings.logitSoftCap > 0 { Elementwise.softCap(result, settings.logitSoftCap) }
    return result.view
  }

  private func normalise(
    _ input: MatrixView, _ weight: [Float], _ settings: DecoderSettings,
    _ output: MutableMatrixView
  ) {
    weight.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      Elementwise.rmsNorm(
        input: input, weight: base, epsilon: settings.normEpsilon, output: output)
    }
  }
}
