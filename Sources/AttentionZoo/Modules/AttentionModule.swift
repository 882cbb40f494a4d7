import AttentionCore
import ZooLinearAlgebra
import ZooMemory

/// An attention layer with its projections: hidden states in, hidden states out, rows in a cache.
public protocol AttentionModule: Sendable {
  /// The layout of the layer's rows.
  var layout: KVLayout { get }
  /// Bytes of the layer's weights.
  var weightBytes: Int { get }
  /// Elements of the layer's weights.
  var parameters: Int { get }

  /// Prefill, chunked prefill and decode of a ragged batch.
  ///
  /// The cache must have been extended for the plan's tokens; a layer that shares rows runs after
  /// their owner.
  /// - Parameters:
  ///   - hidden: `[ΣT × D]`.
  ///   - output: `[ΣT × D]`, apart from `hidden`; overwritten.
  /// - Throws: `CacheError.outOfMemory` where scratch cannot grow.
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
  /// The path that latent attention last took, for reports.
  public internal(set) var lastLatentPath: LatentPath?
  let executor: AttendExecutor
  let linear: LinearScratch
  var rotaryTable = RotaryTable()
  var queries = ScratchBuffer()
  var keys = ScratchBuffer()
  var values = ScratchBuffer()
  var arranged = ScratchBuffer()
  var attended = ScratchBuffer()
  var heads = ScratchBuffer()
  var expanded = ExpandedScratch()

  /// - Parameter maximumInputs: the widest operand of any projection, elements.
  /// - Throws: `OutOfMemory`.
  public init(pool: WorkerPool, maximumInputs: Int) throws(OutOfMemory) {
    self.pool = pool
    executor = AttendExecutor(pool: pool)
    linear = try LinearScratch(maximumInputs: maximumInputs, threads: pool.threads)
  }

  /// Scratch for the linear maps of the rest of a model.
  public var linearScratch: LinearScratch { linear }

  /// Bytes of scratch held now.
  public var mappedBytes: Int {
    executor.workspaceBytes + linear.byteCount + rotaryTable.mappedBytes + queries.mappedBytes
      + keys.mappedBytes + values.mappedBytes + arranged.mappedBytes + attended.mappedBytes
      + heads.mappedBytes + expanded.mappedBytes
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
