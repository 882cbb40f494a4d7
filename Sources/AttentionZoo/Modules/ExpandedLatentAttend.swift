import AttentionCore
import CAttentionKernels
import ZooLinearAlgebra
import ZooMemory

/// Scratch of the expanded path.
struct ExpandedScratch {
  var latents = ScratchBuffer()
  var workers = ScratchBuffer()
  var partials = ScratchBuffer()
  var bounds = ScratchBuffer()

  var mappedBytes: Int {
    latents.mappedBytes + workers.mappedBytes + partials.mappedBytes + bounds.mappedBytes
  }
}

extension LatentAttention {
  /// Tokens whose rows are expanded at a time; every query uses a tile before the next is made.
  static let expandedTile = 512
  /// Query rows of one attend call.
  static let queryBlock = 128

  /// Attends the tokens of one sequence by expanding its rows, tile by tile, to keys and values of
  /// every head. Workers share out the heads.
  func attendExpanded(
    _ queries: UnsafeMutablePointer<Float>, entry: BatchPlan.Entry, cache: LayerCache,
    values: UnsafeMutablePointer<Float>, workspace: AttentionWorkspace
  ) throws(CacheError) {
    if OpenBLAS.threads != 1 { OpenBLAS.setThreads(1) }
    var job = try makeJob(queries, entry: entry, values: values, workspace: workspace)
    let reach = layout.reach
    let end = entry.start + entry.count
    let begin = reach.windowStart(at: entry.start)
    attendTiles(of: TokenRange(0, min(reach.sinks, begin)), &job, cache, workspace)
    attendTiles(of: TokenRange(begin, end), &job, cache, workspace)
    run(&job, workspace, ExpandedJob.mergePart)
  }

  private func attendTiles(
    of range: TokenRange, _ job: inout ExpandedJob, _ cache: LayerCache,
    _ workspace: AttentionWorkspace
  ) {
    var first = range.begin
    while first < range.end {
      job.tile = TokenRange(first, min(first + Self.expandedTile, range.end))
      job.setBounds(reach: layout.reach)
      cache.readKeys(
        sequence: job.entry.sequence, stream: 0, tokens: job.tile, into: job.latents)
      run(&job, workspace, ExpandedJob.attendPart)
      first = job.tile.end
    }
  }

  /// A part a head, by a function without context: a closure would be copied to the heap.
  private func run(
    _ job: inout ExpandedJob, _ workspace: AttentionWorkspace, _ body: @escaping WorkerPool.Body
  ) {
    withUnsafeMutablePointer(to: &job) { pointer in
      workspace.pool.run(count: heads, context: UnsafeMutableRawPointer(pointer), body: body)
    }
  }

  private func makeJob(
    _ queries: UnsafeMutablePointer<Float>, entry: BatchPlan.Entry,
    values: UnsafeMutablePointer<Float>, workspace: AttentionWorkspace
  ) throws(CacheError) -> ExpandedJob {
    let tile = Self.expandedTile
    let kernelFloats =
      attn_workspace_bytes(
        Int32(Self.queryBlock), Int32(shape.headWidth), Int32(shape.valueWidth)) / 4 + 16
    let weightFloats = max(shape.nopeWidth, shape.valueWidth) * shape.rank
    let keyFloats = tile * shape.headWidth
    let valueFloats = tile * shape.valueWidth
    let perWorker = (keyFloats + valueFloats + weightFloats + kernelFloats + 15) / 16 * 16
    let partialFloats = entry.count * (shape.valueWidth + 2)
    return try CacheError.scratch { () throws(OutOfMemory) in
      let job = ExpandedJob(
        module: self, entry: entry,
        queries: queries + entry.offset * query.outputs,
        values: values + entry.offset * heads * shape.valueWidth,
        latents: try workspace.expanded.latents.reserve(tile * shape.rowWidth),
        workers: try workspace.expanded.workers.reserve(workspace.pool.threads * perWorker),
        perWorker: perWorker,
        partials: try workspace.expanded.partials.reserve(heads * partialFloats),
        bounds: try workspace.expanded.bounds.reserve(2 * entry.count, of: Int64.self))
      for head in 0..<heads {
        var partial = job.partial(head: head, firstRow: 0)
        attn_partial_reset(&partial, Int32(entry.count), Int32(shape.valueWidth))
      }
      return job
    }
  }
}

/// What the workers share while one tile of rows is expanded; each head's partials are its own.
private struct ExpandedJob {
  let module: LatentAttention
  let entry: BatchPlan.Entry
  let queries: UnsafeMutablePointer<Float>
  let values: UnsafeMutablePointer<Float>
  let latents: UnsafeMutablePointer<Float>
  let workers: UnsafeMutablePointer<Float>
  let perWorker: Int
  let partials: UnsafeMutablePointer<Float>
  let bounds: UnsafeMutablePointer<Int64>
  var tile = TokenRange(0, 0)
  var sinkVisible = 0

  static let attendPart: WorkerPool.Body = { context, head, worker in
    context.assumingMemoryBound(to: ExpandedJob.self).pointee.attendTile(
      head: head, worker: worker)
  }

  static let mergePart: WorkerPool.Body = { context, head, _ in
    context.assumingMemoryBound(to: ExpandedJob.self).pointee.merge(head: head)
  }

  /// Which tokens of the tile each query sees, counted from the tile's first.
  mutating func setBounds(reach: Reach) {
    for token in 0..<entry.count {
      let position = entry.start + token
      bounds[token] = Int64(reach.windowStart(at: position) - tile.begin)
      bounds[entry.count + token] = Int64(position + 1 - tile.begin)
    }
    sinkVisible = max(0, reach.sinks - tile.begin)
  }

  func partial(head: Int, firstRow: Int) -> attn_partial {
    let width = module.shape.valueWidth
    let base = partials + head * entry.count * (width + 2)
    let state = base + entry.count * width
    return attn_partial(
      accumulator: base + firstRow * width, accumulator_stride: Int64(width),
      maximum: state + firstRow, sum: state + entry.count + firstRow)
  }

  /// Expands the tile for one head and lets all its queries attend to it.
  func attendTile(head: Int, worker: Int) {
    let shape = module.shape
    let count = tile.end - tile.begin
    let keys = workers + worker * perWorker
    let expandedValues = keys + LatentAttention.expandedTile * shape.headWidth
    let weights = expandedValues + LatentAttention.expandedTile * shape.valueWidth
    let scratch = weights + max(shape.nopeWidth, shape.valueWidth) * shape.rank
    // Key up-projection, stored [r][d_n]: keys[t] = latent[t] · W.
    if shape.nopeWidth > 0 {
      module.keyUp.weight.decodeRows(head * shape.rank..<(head + 1) * shape.rank, to: weights)
      BLAS.gemm(
        rows: count, columns: shape.nopeWidth, inner: shape.rank, a: latents,
        aStride: shape.rowWidth, b: weights, bStride: shape.nopeWidth, transposeB: false, c: keys,
        cStride: shape.headWidth)
    }
    let slice = head / (module.heads / shape.ropeSlices)
    for token in 0..<count {
      (keys + token * shape.headWidth + shape.nopeWidth).update(
        from: latents + token * shape.rowWidth + shape.rank + slice * shape.ropeWidth,
        count: shape.ropeWidth)
    }
    // Value up-projection, stored [d_v][r].
    module.valueUp.weight.decodeRows(
      head * shape.valueWidth..<(head + 1) * shape.valueWidth, to: weights)
    BLAS.gemm(
      rows: count, columns: shape.valueWidth, inner: shape.rank, a: latents,
      aStride: shape.rowWidth, b: weights, bStride: shape.rank, transposeB: true,
      c: expandedValues, cStride: shape.valueWidth)
    attend(head: head, keys: keys, expandedValues: expandedValues, count: count, scratch: scratch)
  }

  private func attend(
    head: Int, keys: UnsafeMutablePointer<Float>, expandedValues: UnsafeMutablePointer<Float>,
    count: Int, scratch: UnsafeMutablePointer<Float>
  ) {
    let shape = module.shape
    var stream = attn_stream()
    stream.keys = UnsafeRawPointer(keys)
    stream.values = UnsafeRawPointer(expandedValues)
    stream.key_row_bytes = Int64(shape.headWidth * 4)
    stream.value_row_bytes = Int64(shape.valueWidth * 4)
    stream.key_width = Int32(shape.headWidth)
    stream.value_width = Int32(shape.valueWidth)
    stream.key_element = Int32(ATTN_ELEMENT_F32.rawValue)
    stream.value_element = Int32(ATTN_ELEMENT_F32.rawValue)
    let aligned = UnsafeMutableRawPointer(scratch).alignedUp(toMultipleOf: 64)
    var first = 0
    while first < entry.count {
      let rows = min(LatentAttention.queryBlock, entry.count - first)
      var call = attn_queries()
      call.queries = UnsafePointer(
        queries + first * module.query.outputs + head * shape.headWidth)
      call.query_stride = Int64(module.query.outputs)
      call.rows = Int32(rows)
      call.scale = module.scale
      call.soft_cap = module.options.softCap
      call.row_begin = UnsafePointer(bounds + first)
      call.row_end = UnsafePointer(bounds + entry.count + first)
      call.sink_visible = Int64(sinkVisible)
      var range = attn_range(begin: 0, end: Int64(count))
      var state = partial(head: head, firstRow: first)
      attn_attend(&stream, &call, &range, 1, &state, aligned)
      first += rows
    }
  }

  /// Normalises a head's rows into `[T][N][d_v]`.
  func merge(head: Int) {
    let width = module.shape.valueWidth
    var state = partial(head: head, firstRow: 0)
    let target = values + head * width
    let stride = Int64(module.heads * width)
    guard let logits = module.options.sinkLogits else {
      attn_merge(&state, 1, Int32(entry.count), Int32(width), nil, target, stride)
      return
    }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: entry.count) { rows in
      rows.initialize(repeating: logits[head])
      attn_merge(&state, 1, Int32(entry.count), Int32(width), rows.baseAddress, target, stride)
    }
  }
}
