import CAttentionKernels
import ZooMemory

/// Runs attend for all query heads of a batch against one layer's cache, shared out over a worker
/// pool by (sequence, stream, token range), and merges the partial results.
///
/// Holds the scratch memory: sizes grow when a call larger than all before it comes and stay, so
/// that a decode loop allocates nothing. One call at a time.
public final class AttendExecutor: @unchecked Sendable {
  /// The threads that share the work.
  public let pool: WorkerPool
  private var schedule = AttendSchedule()
  private var partials = ScratchBuffer()
  private var kernelScratch = ScratchBuffer()
  private var rowBounds = ScratchBuffer()
  private var mergeStates = ScratchBuffer()
  private let queue = UnitQueue()

  public init(pool: WorkerPool) { self.pool = pool }

  /// Bytes of scratch held.
  public var workspaceBytes: Int {
    partials.mappedBytes + kernelScratch.mappedBytes + rowBounds.mappedBytes
      + mergeStates.mappedBytes
  }

  /// Attends every query of the plan.
  ///
  /// - Parameters:
  ///   - queries: `[streams][ΣT][query heads per stream][key width]`, rotated, in float32.
  ///   - out: `[streams][ΣT][query heads per stream][value width]`.
  /// - Throws: `CacheError.outOfMemory` when scratch cannot grow; `unknownSequence`, `pastEnd` or
  ///   `windowOverwritten` where the cache does not hold what an entry's queries see.
  public func attend(
    queries: UnsafePointer<Float>, plan: BatchPlan, layer: LayerCache, options: AttendOptions,
    out: UnsafeMutablePointer<Float>
  ) throws(CacheError) {
    let shape = layer.layout.shape
    precondition(
      options.sinkLogits.map { $0.count == shape.streams * shape.queryHeadsPerStream } ?? true,
      "sink logits are one a query head")
    try layer.check(plan)
    schedule.build(plan: plan, layout: layer.layout, threads: pool.threads)
    try prepare(plan: plan, layout: layer.layout)
    schedule.units.withUnsafeBufferPointer { units in
      schedule.blocks.withUnsafeBufferPointer { blocks in
        withSinkLogits(options) { sinkLogits in
          var job = AttendJob(
            units: units, queue: queue, blocks: blocks, plan: plan, layer: layer, shape: shape,
            options: options, sinkLogits: sinkLogits, queries: queries, out: out,
            partials: partials.pointer(), partialStride: partialStride(shape),
            mergeStates: mergeStates.pointer(), threads: pool.threads,
            kernelScratch: UnsafeMutableRawPointer(kernelScratch.pointer(to: UInt8.self)),
            kernelBytes: kernelBytes(shape),
            rowBegin: rowBounds.pointer(),
            rowEnd: rowBounds.pointer(to: Int64.self) + plan.tokens * shape.queryHeadsPerStream)
          withUnsafeMutablePointer(to: &job) { pointer in
            queue.restart()
            pool.run(count: min(pool.threads, units.count), context: pointer) {
              context, _, worker in
              AttendJob.attendUnits(
                UnsafePointer(context.assumingMemoryBound(to: AttendJob.self)), worker)
            }
            guard schedule.partials > 0 else { return }
            pool.run(count: blocks.count, context: pointer) { context, part, _ in
              context.assumingMemoryBound(to: AttendJob.self).pointee.mergeSplit(part)
            }
          }
        }
      }
    }
  }

  private func withSinkLogits(
    _ options: AttendOptions, _ body: (UnsafePointer<Float>?) -> Void
  ) {
    guard let logits = options.sinkLogits else { return body(nil) }
    logits.withUnsafeBufferPointer { body($0.baseAddress) }
  }

  private func maxRows(_ shape: RowShape) -> Int {
    max(AttendSchedule.blockRows, shape.queryHeadsPerStream)
  }

  /// Floats of one partial: accumulator, maximum, sum.
  private func partialStride(_ shape: RowShape) -> Int { maxRows(shape) * (shape.valueWidth + 2) }

  private func kernelBytes(_ shape: RowShape) -> Int {
    let bytes = attn_workspace_bytes(
      Int32(maxRows(shape)), Int32(shape.keyWidth), Int32(shape.valueWidth))
    return (bytes + 4095) / 4096 * 4096
  }

  private func prepare(plan: BatchPlan, layout: KVLayout) throws(CacheError) {
    let shape = layout.shape
    // For the most partials there can be: what a call needs depends on the batch, not the context.
    let most = AttendSchedule.mostPartials(threads: pool.threads)
    let rows = plan.tokens * shape.queryHeadsPerStream
    let begins: UnsafeMutablePointer<Int64>
    do {
      try partials.reserve((pool.threads + most) * partialStride(shape), of: Float.self)
      try mergeStates.reserve(most, of: attn_partial.self)
      try kernelScratch.reserve(pool.threads * kernelBytes(shape), of: UInt8.self)
      begins = try rowBounds.reserve(2 * rows)
    } catch {
      throw .outOfMemory(bytes: error.bytes)
    }
    let ends = begins + rows
    for entry in plan.entries where entry.count > 1 {
      for token in 0..<entry.count {
        let position = entry.start + token
        let first = (entry.offset + token) * shape.queryHeadsPerStream
        for row in first..<first + shape.queryHeadsPerStream {
          begins[row] = Int64(layout.reach.windowStart(at: position))
          ends[row] = Int64(position + 1)
        }
      }
    }
  }
}

extension LayerCache {
  /// Throws where the queries of a plan's entries would not find the rows that they see.
  /// - Throws: `CacheError.unknownSequence`, `pastEnd` or `windowOverwritten`.
  public func check(_ plan: BatchPlan) throws(CacheError) {
    for entry in plan.entries { try checkQueries(entry) }
  }
}
