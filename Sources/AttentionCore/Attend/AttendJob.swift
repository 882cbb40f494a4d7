import CAttentionKernels

/// What the workers of one call share; they write disjoint partials and disjoint rows of `out`.
struct AttendJob {
  let units: UnsafeBufferPointer<AttendUnit>
  let queue: UnitQueue
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

  /// Attends unit after unit until all are claimed. A worker claims its next one when the kernel has
  /// fetched all of the present one, while there are enough for the others too.
  static func attendUnits(_ job: UnsafePointer<AttendJob>, _ worker: Int) {
    var own = UnitWalk(job: job)
    let (queue, count) = (job.pointee.queue, job.pointee.units.count)
    withUnsafeMutablePointer(to: &own) { walk in
      var following = attn_following()
      following.context = UnsafeMutableRawPointer(walk)
      following.claim = { context, stream, ranges in
        guard let context, let stream, let ranges else { return 0 }
        return UnitWalk.claim(context.assumingMemoryBound(to: UnitWalk.self), stream, ranges)
      }
      var next = queue.claim(of: count)
      while let unit = next {
        walk.pointee.claimed = nil
        withUnsafePointer(to: &following) { job.pointee.attend(unit, worker, $0) }
        next = walk.pointee.claimed ?? queue.claim(of: count)
      }
    }
  }

  func claimAhead() -> Int? { queue.claimAhead(of: units.count, workers: threads) }

  /// The rows that a unit's block attends.
  func stream(of unit: AttendUnit) -> attn_stream {
    let block = blocks[unit.block]
    return layer.view(sequence: plan.entries[block.entry].sequence, stream: block.stream).raw
  }

  private func attend(_ part: Int, _ worker: Int, _ following: UnsafePointer<attn_following>) {
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
    call.following = following
    let slot = unit.partial.map { threads + $0 } ?? worker
    var state = partial(slot, rows: rows.count)
    attn_partial_reset(&state, Int32(rows.count), Int32(shape.valueWidth))
    let rangeCount = Int32(unit.rangeCount)
    withUnsafePointer(to: stream(of: unit)) { stream in
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

/// A worker's next unit, from the moment when the kernel asks for it.
private struct UnitWalk {
  let job: UnsafePointer<AttendJob>
  var claimed: Int?
  private var stream = attn_stream()
  private var ranges = (attn_range(), attn_range())

  init(job: UnsafePointer<AttendJob>) { self.job = job }

  /// What the kernel asks by `attn_following`; the pointers that it gets live as long as the walk.
  static func claim(
    _ walk: UnsafeMutablePointer<UnitWalk>,
    _ stream: UnsafeMutablePointer<UnsafePointer<attn_stream>?>,
    _ ranges: UnsafeMutablePointer<UnsafePointer<attn_range>?>
  ) -> Int32 {
    let job = walk.pointee.job
    guard let claimed = job.pointee.claimAhead() else { return 0 }
    let unit = job.pointee.units[claimed]
    walk.pointee.claimed = claimed
    walk.pointee.stream = job.pointee.stream(of: unit)
    walk.pointee.ranges = unit.ranges
    stream.pointee = walk.pointer(to: \.stream).map { UnsafePointer($0) }
    ranges.pointee = walk.pointer(to: \.ranges.0).map { UnsafePointer($0) }
    return Int32(unit.rangeCount)
  }
}
