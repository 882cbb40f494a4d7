import AttentionCore
import ZooLinearAlgebra
import ZooMemory

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): all heads read one cached row
/// [latent r | RoPE key slices], through up-projections that are absorbed into query and output, or
/// applied to the rows, whichever takes fewer FLOPs.
///
/// Shapes: N query heads of nope width d_n, RoPE width d_r and value width d_v; hidden width D.
public struct LatentAttention: AttentionModule {
  public let layout: KVLayout
  public let shape: LatentShape
  /// `[N(d_n + d_r) × D]`, each head [nope, rope]; behind `queryDown` where there is one,
  /// `[N(d_n + d_r) × r_q]`.
  public let query: Linear
  /// Into the query's own latent; nil where queries are projected at once.
  public let queryDown: QueryDown?
  /// `[(r + slices·d_r) × D]`, latent rows first; nil where the layer reads another's rows.
  public let down: Linear?
  /// `[N][r][d_n]`: query into the latent space, the key up-projection of each head transposed.
  public let keyUp: HeadwiseLinear
  /// `[N][d_v][r]`: latent to value.
  public let valueUp: HeadwiseLinear
  /// `[D × N·d_v]`.
  public let output: Linear
  public let options: AttentionOptions

  /// The first half of a low-rank query projection, and the norm between the halves.
  public struct QueryDown: Sendable {
    /// `[r_q × D]`.
    public let linear: Linear
    /// RMSNorm weight of the query latent, r_q elements; its epsilon is that of the options.
    public let norm: [Float]

    /// - Precondition: one norm weight an output.
    public init(linear: Linear, norm: [Float]) {
      precondition(
        linear.outputs == norm.count, "the query latent's norm has one weight an element")
      self.linear = linear
      self.norm = norm
    }

    var parameters: Int { linear.parameters + norm.count }
    var byteCount: Int { linear.byteCount + norm.count * MemoryLayout<Float>.stride }
  }

  public init(
    layout: KVLayout, shape: LatentShape, query: Linear, queryDown: QueryDown? = nil,
    down: Linear?, keyUp: HeadwiseLinear, valueUp: HeadwiseLinear, output: Linear,
    options: AttentionOptions
  ) {
    precondition(layout.shape.valueIsKeyPrefix, "grouped rows need MultiHeadAttention")
    precondition(
      (down != nil) == layout.ownsRows, "a layer projects rows exactly when it owns them")
    precondition(
      keyUp.outputs == shape.rank && keyUp.inputs == shape.nopeWidth
        && valueUp.outputs == shape.valueWidth && valueUp.inputs == shape.rank
        && query.outputs == keyUp.heads * shape.headWidth,
      "projections have the latent shape")
    precondition(
      options.queryNorm == nil && options.keyNorm == nil,
      "query and key norms belong to grouped heads")
    precondition(
      options.latentNorm.map { $0.count == shape.rank } ?? true,
      "the latent's norm has one weight an element")
    self.layout = layout
    self.shape = shape
    precondition(
      queryDown.map { $0.linear.outputs == query.inputs } ?? true,
      "a low-rank query's halves fit each other")
    self.query = query
    self.queryDown = queryDown
    self.down = down
    self.keyUp = keyUp
    self.valueUp = valueUp
    self.output = output
    self.options = options
  }

  /// Query heads, N.
  public var heads: Int { layout.shape.queryHeadsPerStream }

  public var weightBytes: Int {
    query.byteCount + (queryDown?.byteCount ?? 0) + (down?.byteCount ?? 0) + keyUp.weight.byteCount
      + valueUp.weight.byteCount
      + output.byteCount + options.parameters * MemoryLayout<Float>.stride
  }

  public var parameters: Int {
    query.parameters + (queryDown?.parameters ?? 0) + (down?.parameters ?? 0) + output.parameters
      + heads * shape.rank * (shape.nopeWidth + shape.valueWidth) + options.parameters
  }

  public var widestInputs: Int {
    max(
      query.inputs, queryDown?.linear.inputs ?? 0, output.inputs, shape.rank, shape.nopeWidth)
  }

  public func forward(
    hidden: MatrixView, plan: BatchPlan, cache: LayerCache, workspace: AttentionWorkspace,
    output result: MutableMatrixView
  ) throws(CacheError) {
    try cache.check(plan)
    let tokens = plan.tokens
    let queries = try CacheError.scratch { () throws(OutOfMemory) in
      try workspace.queries.reserve(tokens * query.outputs, of: Float.self)
    }
    query.apply(
      input: try queryInputs(hidden, workspace),
      output: MutableMatrixView(queries, rows: tokens, columns: query.outputs),
      pool: workspace.pool, scratch: workspace.linear)
    let headsPerSlice = heads / shape.ropeSlices
    for slice in 0..<shape.ropeSlices {
      try rotate(
        queries, first: slice * headsPerSlice, heads: headsPerSlice, stride: shape.headWidth,
        tokenStride: query.outputs, offset: shape.nopeWidth, slice: slice, plan: plan,
        workspace: workspace)
    }
    if let down {
      try appendRows(hidden: hidden, down: down, plan: plan, cache: cache, workspace: workspace)
    }
    let values = try CacheError.scratch { () throws(OutOfMemory) in
      try workspace.heads.reserve(tokens * heads * shape.valueWidth, of: Float.self)
    }
    let path = workspace.latentPath
    let expandsAny = plan.entries.contains { expands($0, path) }
    let absorbsAny = !expandsAny || !plan.entries.allSatisfy { expands($0, path) }
    workspace.lastLatentPath = expandsAny ? (absorbsAny ? .automatic : .expanded) : .absorbed
    if absorbsAny {
      if expandsAny { workspace.absorbedPlan.select(from: plan) { !expands($0, path) } }
      try attendAbsorbed(
        queries, plan: expandsAny ? workspace.absorbedPlan : plan, whole: !expandsAny, cache: cache,
        values: values,
        workspace: workspace)
    }
    if expandsAny {
      try workspace.timed(\.attention) { () throws(CacheError) in
        for entry in plan.entries where expands(entry, path) {
          try attendExpanded(
            queries, entry: entry, cache: cache, values: values, workspace: workspace)
        }
      }
    }
    output.apply(
      input: MatrixView(values, rows: tokens, columns: output.inputs), output: result,
      pool: workspace.pool, scratch: workspace.linear)
  }

  /// Softmax scale, (d_n + d_r)^−½ unless the checkpoint says otherwise.
  var scale: Float { options.scale ?? 1 / Float(shape.headWidth).squareRoot() }

  /// Whether expanding a sequence's rows takes fewer FLOPs than absorbing the projections: with
  /// P_qk visible (query, key) pairs and S rows in reach,
  /// P_qk·(2r − d_n − d_v) > (S − T)·r·(d_n + d_v).
  func expands(_ entry: BatchPlan.Entry, _ path: LatentPath) -> Bool {
    switch path {
    case .absorbed: return false
    case .expanded: return true
    case .automatic: break
    }
    let reach = layout.reach
    let last = entry.start + entry.count
    var pairs = entry.count * last - entry.count * (entry.count - 1) / 2
    var rows = last
    if reach.window != nil {
      pairs = (entry.start..<last).reduce(0) { $0 + reach.visibleTokens(context: $1 + 1) }
      rows = last - reach.windowStart(at: entry.start) + min(reach.sinks, entry.start)
      rows = min(rows, last)
    }
    let widths = shape.nopeWidth + shape.valueWidth
    return pairs * (2 * shape.rank - widths) > (rows - entry.count) * shape.rank * widths
  }

  /// What the query projection reads: hidden states, or their normalised latents.
  private func queryInputs(
    _ hidden: MatrixView, _ workspace: AttentionWorkspace
  ) throws(CacheError) -> MatrixView {
    guard let queryDown else { return hidden }
    let width = queryDown.linear.outputs
    let latents = MutableMatrixView(
      try CacheError.scratch { () throws(OutOfMemory) in
        try workspace.queryLatents.reserve(hidden.rows * width, of: Float.self)
      }, rows: hidden.rows, columns: width)
    queryDown.linear.apply(
      input: hidden, output: latents, pool: workspace.pool, scratch: workspace.linear)
    queryDown.norm.withUnsafeBufferPointer { weight in
      guard let base = weight.baseAddress else { return }
      Elementwise.rmsNorm(
        input: latents.view, weight: base, epsilon: options.normEpsilon, output: latents)
    }
    return latents.view
  }

  private func appendRows(
    hidden: MatrixView, down: Linear, plan: BatchPlan, cache: LayerCache,
    workspace: AttentionWorkspace
  ) throws(CacheError) {
    let tokens = plan.tokens
    let width = shape.rowWidth
    let rows = try CacheError.scratch { () throws(OutOfMemory) in
      try workspace.keys.reserve(tokens * width, of: Float.self)
    }
    down.apply(
      input: hidden, output: MutableMatrixView(rows, rows: tokens, columns: width),
      pool: workspace.pool, scratch: workspace.linear)
    if let norm = options.latentNorm {
      norm.withUnsafeBufferPointer { weight in
        guard let base = weight.baseAddress else { return }
        let latents = MutableMatrixView(rows, rows: tokens, columns: shape.rank, stride: width)
        Elementwise.rmsNorm(
          input: latents.view, weight: base, epsilon: options.normEpsilon, output: latents)
      }
    }
    for slice in 0..<shape.ropeSlices {
      try rotate(
        rows, first: 0, heads: 1, stride: width, tokenStride: width,
        offset: shape.rank + slice * shape.ropeWidth, slice: slice, plan: plan,
        workspace: workspace)
    }
    try workspace.timed(\.append) { () throws(CacheError) in
      for entry in plan.entries {
        cache.append(
          sequence: entry.sequence, start: entry.start, count: entry.count,
          keys: rows + entry.offset * width, keyStride: width, values: nil, valueStride: 0)
      }
    }
  }

  /// Queries into the latent space, attend there, values out of it.
  /// - Parameter whole: the plan is that of the call, so that all its tokens go at once.
  private func attendAbsorbed(
    _ queries: UnsafeMutablePointer<Float>, plan: BatchPlan, whole: Bool, cache: LayerCache,
    values: UnsafeMutablePointer<Float>, workspace: AttentionWorkspace
  ) throws(CacheError) {
    let width = shape.rowWidth
    let (rows, attended) = try CacheError.scratch { () throws(OutOfMemory) in
      (
        try workspace.arranged.reserve(plan.tokens * heads * width, of: Float.self),
        try workspace.attended.reserve(plan.tokens * heads * shape.rank, of: Float.self)
      )
    }
    func forEachRun(_ body: (_ first: Int, _ count: Int) -> Void) {
      if whole { return body(0, plan.tokens) }
      for entry in plan.entries { body(entry.offset, entry.count) }
    }
    try workspace.timed(\.absorb) { () throws(CacheError) in
      forEachRun { first, count in
        keyUp.apply(
          input: HeadwiseView(
            queries + first * query.outputs, tokenStride: query.outputs,
            headStride: shape.headWidth),
          output: MutableHeadwiseView(
            rows + first * heads * width, tokenStride: heads * width, headStride: width),
          tokens: count, pool: workspace.pool, scratch: workspace.linear)
        for token in first..<first + count { placeRopeParts(queries, rows, token: token) }
      }
    }
    try workspace.timed(\.attention) { () throws(CacheError) in
      try workspace.executor.attend(
        queries: rows, plan: plan, layer: cache,
        options: AttendOptions(
          scale: scale, softCap: options.softCap, sinkLogits: options.sinkLogits), out: attended)
    }
    try workspace.timed(\.absorb) { () throws(CacheError) in
      forEachRun { first, count in
        valueUp.apply(
          input: HeadwiseView(
            attended + first * heads * shape.rank, tokenStride: heads * shape.rank,
            headStride: shape.rank),
          output: MutableHeadwiseView(
            values + first * heads * shape.valueWidth, tokenStride: heads * shape.valueWidth,
            headStride: shape.valueWidth),
          tokens: count, pool: workspace.pool, scratch: workspace.linear)
      }
    }
  }

  /// RoPE parts of a token's query heads into the slice of their group, zeros into the others.
  private func placeRopeParts(
    _ queries: UnsafePointer<Float>, _ rows: UnsafeMutablePointer<Float>, token: Int
  ) {
    let headsPerSlice = heads / shape.ropeSlices
    for head in 0..<heads {
      let row = rows + (token * heads + head) * shape.rowWidth + shape.rank
      if shape.ropeSlices > 1 {
        row.update(repeating: 0, count: shape.ropeSlices * shape.ropeWidth)
      }
      (row + head / headsPerSlice * shape.ropeWidth).update(
        from: queries + token * query.outputs + head * shape.headWidth + shape.nopeWidth,
        count: shape.ropeWidth)
    }
  }

  /// Turns the RoPE part of heads `first ..< first + heads` of every token. Slices turn by the
  /// same frequencies, or by their own where the rotary has frequencies for all slices.
  private func rotate(
    _ rows: UnsafeMutablePointer<Float>, first: Int, heads: Int, stride: Int, tokenStride: Int,
    offset: Int, slice: Int, plan: BatchPlan, workspace: AttentionWorkspace
  ) throws(CacheError) {
    guard let rotary = options.rotary else { return }
    let table = try CacheError.scratch { () throws(OutOfMemory) in
      try workspace.rotaryTable.table(rotary, plan)
    }
    let pairs = shape.ropeWidth / 2
    let own = rotary.frequencies.count > pairs ? slice * pairs : 0
    for token in 0..<plan.tokens {
      for head in first..<first + heads {
        rotary.rotate(
          rows + token * tokenStride + head * stride + offset, pairs: pairs,
          table + token * rotary.frequencies.count + own)
      }
    }
  }
}
