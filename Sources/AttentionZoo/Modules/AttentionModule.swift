import AttentionCore
import ZooLinearAlgebra
import ZooMemory

/// An attention layer with its projections: hidden states in, hidden states out, rows in a cache.
public protocol AttentionModule: Sendable {
  /// The layout of the layer's rows.
  var layout: KVLayout { get }
  /// Bytes of the layer's weights: matrices, biases, norms and sink logits.
  var weightBytes: Int { get }
  /// Elements of the layer's weights: matrices, biases, norms and sink logits.
  var parameters: Int { get }
  /// Elements of the widest operand of any of the layer's linear maps.
  var widestInputs: Int { get }

  /// Prefill, chunked prefill and decode of a ragged batch.
  ///
  /// The cache must have been extended for the plan's tokens; a layer that shares rows runs after
  /// their owner.
  /// - Parameters:
  ///   - hidden: `[ΣT × D]`.
  ///   - output: `[ΣT × D]`, apart from `hidden`; overwritten.
  /// - Throws: `CacheError.outOfMemory` where scratch cannot grow; `unknownSequence`, `pastEnd` or
  ///   `windowOverwritten` where the cache does not hold what a query sees, before anything is
  ///   written.
  func forward(
    hidden: MatrixView, plan: BatchPlan, cache: LayerCache, workspace: AttentionWorkspace,
    output: MutableMatrixView
  ) throws(CacheError)
}

/// Nanoseconds that the phases of attention took since they were last reset.
public struct PhaseTimes: Sendable, Hashable {
  /// Attend and merge.
  public var attention: Int64 = 0
  /// Encode and write of new rows.
  public var append: Int64 = 0
  /// Latent attention's per-head products.
  public var absorb: Int64 = 0

  public init() {}
}

/// Scratch and threads of the attention modules of a model; one forward call at a time.
public final class AttentionWorkspace: @unchecked Sendable {
  public let pool: WorkerPool
  /// Times of the phases, added up over layers and calls.
  public var phases = PhaseTimes()
  /// Which way latent attention is computed.
  public var latentPath = LatentPath.automatic
  /// The path that latent attention last took, for reports: `.automatic` where the sequences of one
  /// call took different ones.
  public internal(set) var lastLatentPath: LatentPath?
  let executor: AttendExecutor
  private(set) var linear: LinearScratch
  var rotaryTable = RotaryTable()
  var queries = ScratchBuffer()
  var queryLatents = ScratchBuffer()
  var keys = ScratchBuffer()
  var values = ScratchBuffer()
  var arranged = ScratchBuffer()
  var attended = ScratchBuffer()
  var heads = ScratchBuffer()
  var expanded = ExpandedScratch()
  /// The sequences of a call that latent attention absorbs where it expands others.
  var absorbedPlan = BatchPlan()

  /// - Parameter maximumInputs: the widest operand of any projection, elements.
  /// - Throws: `OutOfMemory`.
  public init(pool: WorkerPool, maximumInputs: Int) throws(OutOfMemory) {
    self.pool = pool
    executor = AttendExecutor(pool: pool)
    linear = try LinearScratch(maximumInputs: maximumInputs, threads: pool.threads)
  }

  /// Makes room for linear maps of operands of up to `inputs` elements.
  /// - Throws: `OutOfMemory`; the scratch is as before then.
  public func reserve(maximumInputs inputs: Int) throws(OutOfMemory) {
    if inputs <= linear.maximumInputs { return }
    linear = try LinearScratch(maximumInputs: inputs, threads: pool.threads)
  }

  /// Scratch for the linear maps of the rest of a model.
  public var linearScratch: LinearScratch { linear }

  /// Bytes of scratch held now.
  public var mappedBytes: Int {
    executor.workspaceBytes + linear.byteCount + rotaryTable.mappedBytes + queries.mappedBytes
      + queryLatents.mappedBytes + keys.mappedBytes + values.mappedBytes + arranged.mappedBytes
      + attended.mappedBytes + heads.mappedBytes + expanded.mappedBytes
  }

  func timed<Result>(
    _ phase: WritableKeyPath<PhaseTimes, Int64>,
    _ body: () throws(CacheError) -> Result
  ) throws(CacheError) -> Result {
    let start = MonotonicClock.nanoseconds()
    let result = try body()
    phases[keyPath: phase] += MonotonicClock.nanoseconds() - start
    return result
  }
}

extension AttentionOptions {
  /// Elements of norms and sink logits, float32 each.
  var parameters: Int {
    (queryNorm?.count ?? 0) + (keyNorm?.count ?? 0) + (latentNorm?.count ?? 0)
      + (sinkLogits?.count ?? 0)
  }
}

extension Linear {
  /// Elements of the matrix and its bias.
  var parameters: Int { inputs * outputs + (bias?.count ?? 0) }

  /// Bytes of the matrix, as stored, and its float32 bias.
  var byteCount: Int { weight.byteCount + (bias?.count ?? 0) * MemoryLayout<Float>.stride }
}

extension CacheError {
  /// Memory errors under the cache's name, so that a forward call throws one type.
  static func scratch<Result>(
    _ body: () throws(OutOfMemory) -> Result
  ) throws(CacheError) -> Result {
    do {
      return try body()
    } catch {
      throw .outOfMemory(bytes: error.bytes)
    }
  }
}
