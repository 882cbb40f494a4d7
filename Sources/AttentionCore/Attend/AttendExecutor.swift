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
            units: units, blocks: blocks, plan: plan, layer: layer, shape: shape,
            options: options, sinkLogits: sinkLogits, queries: queries, out: out,
            partials: partials.pointer(), partialStride: partialStride(shape),
            mergeStates: mergeStates.pointer(), threads: pool.threads,
            kernelScratch: UnsafeMutableRawPointer(kernelScratch.pointer(to: UInt8.self)),
            kernelBytes: kernelBytes(shape),
            rowBegin: rowBounds.pointer(),
            rowEnd: rowBounds.pointer(to: Int64.self) + plan.tokens * shape.queryHeadsPerStream)
          withUnsafeMutablePointer(to: &job) { pointer in
            pool.run(count: units.count, context: pointer) { context, part, worker in
              context.assumingMemoryBound(to: AttendJob.self).pointee.attend(part, worker)
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

/// What the workers of one call share; they write disjoint partials and disjoint rows of `out`.
private struct AttendJob {
  let units: UnsafeBufferPointer<AttendUnit>
  let blocks: UnsafeBufferPointer<AttendBlock>
  let plan: BatchPlan
  let layer: LayerCache
  let shape: RowShape
  let options: AttendOptions
  let sinkLogits: UnsafePointer<Float>?
  let queries: UnsafePointer<Float>
  let out: UnsafeMutablePointer<Float>
  let partials: UnsafeMutablePointer<Float>
  let partialStride: Int
  /// One a partial of a split block, those of a block side by side.
  let mergeStates: UnsafeMutablePointer<attn_partial>
  let threads: Int
  let kernelScratch: UnsafeMutableRawPointer
  let kernelBytes: Int
  let rowBegin: UnsafeMutablePointer<Int64>
  let rowEnd: UnsafeMutablePointer<Int64>

  /// First row of a block within a stream's rows, and rows of the block.
  private func rows(_ block: AttendBlock) -> (first: Int, count: Int) {
    let group = shape.queryHeadsPerStream
    let first = plan.entries[block.entry].offset + block.firstToken
    return (first * group, block.tokens * group)
  }

  /// Partial `slot`: first one a worker for blocks of one unit, then those of split blocks.
  private func partial(_ slot: Int, rows: Int) -> attn_partial {
    let base = partials + slot * partialStride
    let state = base + rows * shape.valueWidth
    return attn_partial(
      accumulator: base, accumulator_stride: Int64(shape.valueWidth), maximum: state,
      sum: state + rows)
  }

  func attend(_ part: Int, _ worker: Int) {
    var unit = units[part]
    let block = blocks[unit.block]
    let entry = plan.entries[block.entry]
    let rows = rows(block)
    let streamRow = block.stream * plan.tokens * shape.queryHeadsPerStream + rows.first
    var call = attn_queries()
    call.queries = queries + streamRow * shape.keyWidth
    call.query_stride = Int64(shape.keyWidth)
    call.rows = Int32(rows.count)
    call.scale = options.scale
    call.soft_cap = options.softCap
    if entry.count > 1 {
      call.row_begin = UnsafePointer(rowBegin + rows.first)
      call.row_end = UnsafePointer(rowEnd + rows.first)
      call.sink_visible = Int64(layer.layout.reach.sinks)
    }
    let slot = unit.partial.map { threads + $0 } ?? worker
    var state = partial(slot, rows: rows.count)
    attn_partial_reset(&state, Int32(rows.count), Int32(shape.valueWidth))
    let view = layer.view(sequence: entry.sequence, stream: block.stream)
    let rangeCount = Int32(unit.rangeCount)
    withUnsafePointer(to: view.raw) { stream in
      withUnsafePointer(to: &unit.ranges.0) { ranges in
        attn_attend(
          stream, &call, ranges, rangeCount, &state, kernelScratch + worker * kernelBytes)
      }
    }
    if unit.partial == nil {
      withUnsafeMutablePointer(to: &state) { merge($0, count: 1, block: block) }
    }
  }

  /// Merges the units of a block that was split.
  func mergeSplit(_ part: Int) {
    let block = blocks[part]
    guard block.units.count > 1 else { return }
    let rows = rows(block).count
    guard let first = units[block.units.lowerBound].partial else { return }
    let states = mergeStates + first
    for index in 0..<block.units.count {
      (states + index).initialize(to: partial(threads + first + index, rows: rows))
    }
    merge(states, count: block.units.count, block: block)
  }

  private func merge(_ states: UnsafeMutablePointer<attn_partial>, count: Int, block: AttendBlock) {
    let rows = rows(block)
    let group = shape.queryHeadsPerStream
    let width = shape.valueWidth
    let target = out + (block.stream * plan.tokens * group + rows.first) * width
    guard let sinkLogits else {
      attn_merge(states, Int32(count), Int32(rows.count), Int32(width), nil, target, Int64(width))
      return
    }
    // Sink logits are one a head of the group: a block of several tokens merges token by token.
    for token in 0..<block.tokens {
      attn_merge(
        states, Int32(count), Int32(group), Int32(width), sinkLogits + block.stream * group,
        target + token * group * width, Int64(width))
      for index in 0..<count {
        states[index].accumulator += group * width
        states[index].maximum += group
        states[index].sum += group
      }
    }
  }
}
