import AttentionCore
import ZooLinearAlgebra
import ZooMemory

/// MHA, GQA and MQA: one module with a different number of key/value heads.
///
/// Shapes: N query heads, K key/value heads, head width H, hidden width D.
public struct MultiHeadAttention: AttentionModule {
  public let layout: KVLayout
  /// `[N·H × D]`.
  public let query: Linear
  /// `[K·H × D]`; nil where the layer reads another's rows.
  public let key: Linear?
  /// `[K·H × D]`; nil where the layer reads another's rows.
  public let value: Linear?
  /// `[D × N·H]`.
  public let output: Linear
  public let options: AttentionOptions

  /// - Precondition: the projections have the layout's shapes, and key and value are there exactly
  ///   when the layer owns rows.
  public init(
    layout: KVLayout, query: Linear, key: Linear?, value: Linear?, output: Linear,
    options: AttentionOptions
  ) {
    let shape = layout.shape
    precondition(!shape.valueIsKeyPrefix, "latent rows need LatentAttention")
    precondition(
      query.outputs == shape.streams * shape.queryHeadsPerStream * shape.keyWidth
        && output.inputs == shape.streams * shape.queryHeadsPerStream * shape.valueWidth,
      "query and output projections have the layout's shape")
    precondition(
      (key != nil) == layout.ownsRows && (value != nil) == layout.ownsRows,
      "a layer projects keys and values exactly when it owns rows")
    precondition(
      [options.queryNorm, options.keyNorm].allSatisfy {
        $0.map { $0.count == shape.keyWidth } ?? true
      },
      "a head's norm has one weight an element")
    self.layout = layout
    self.query = query
    self.key = key
    self.value = value
    self.output = output
    self.options = options
  }

  public var weightBytes: Int {
    query.byteCount + (key?.byteCount ?? 0) + (value?.byteCount ?? 0) + output.byteCount
      + options.parameters * MemoryLayout<Float>.stride
  }

  public var parameters: Int {
    query.parameters + (key?.parameters ?? 0) + (value?.parameters ?? 0) + output.parameters
      + options.parameters
  }

  public var widestInputs: Int { max(query.inputs, output.inputs) }

  public func forward(
    hidden: MatrixView, plan: BatchPlan, cache: LayerCache, workspace: AttentionWorkspace,
    output result: MutableMatrixView
  ) throws(CacheError) {
    try cache.check(plan)
    let shape = layout.shape
    let tokens = plan.tokens
    let heads = shape.streams * shape.queryHeadsPerStream
    let queries = try CacheError.scratch { () throws(OutOfMemory) in
      try workspace.queries.reserve(tokens * query.outputs, of: Float.self)
    }
    query.apply(
      input: hidden,
      output: MutableMatrixView(queries, rows: tokens, columns: query.outputs),
      pool: workspace.pool, scratch: workspace.linear)
    normalise(queries, options.queryNorm, rows: tokens * heads, width: shape.keyWidth)
    try rotate(queries, heads: heads, width: shape.keyWidth, plan: plan, workspace: workspace)
    if let key, let value {
      try appendRows(
        hidden: hidden, key: key, value: value, plan: plan, cache: cache, workspace: workspace)
    }
    let attended = try attend(queries, plan: plan, cache: cache, workspace: workspace)
    output.apply(
      input: MatrixView(attended, rows: tokens, columns: output.inputs), output: result,
      pool: workspace.pool, scratch: workspace.linear)
  }

  private func appendRows(
    hidden: MatrixView, key: Linear, value: Linear, plan: BatchPlan, cache: LayerCache,
    workspace: AttentionWorkspace
  ) throws(CacheError) {
    let shape = layout.shape
    let tokens = plan.tokens
    let (keys, values) = try CacheError.scratch { () throws(OutOfMemory) in
      (
        try workspace.keys.reserve(tokens * key.outputs, of: Float.self),
        try workspace.values.reserve(tokens * value.outputs, of: Float.self)
      )
    }
    key.apply(
      input: hidden, output: MutableMatrixView(keys, rows: tokens, columns: key.outputs),
      pool: workspace.pool, scratch: workspace.linear)
    value.apply(
      input: hidden, output: MutableMatrixView(values, rows: tokens, columns: value.outputs),
      pool: workspace.pool, scratch: workspace.linear)
    normalise(keys, options.keyNorm, rows: tokens * shape.streams, width: shape.keyWidth)
    try rotate(
      keys, heads: shape.streams, width: shape.keyWidth, plan: plan, workspace: workspace)
    try workspace.timed(\.append) { () throws(CacheError) in
      for entry in plan.entries {
        cache.append(
          sequence: entry.sequence, start: entry.start, count: entry.count,
          keys: keys + entry.offset * key.outputs, keyStride: key.outputs,
          values: values + entry.offset * value.outputs, valueStride: value.outputs)
      }
    }
  }

  /// `[ΣT × N·H]` → `[ΣT × N·H]`, by way of the kernel's stream-major order.
  private func attend(
    _ queries: UnsafeMutablePointer<Float>, plan: BatchPlan, cache: LayerCache,
    workspace: AttentionWorkspace
  ) throws(CacheError) -> UnsafeMutablePointer<Float> {
    let shape = layout.shape
    let group = shape.queryHeadsPerStream
    let attendedCount = plan.tokens * shape.streams * group * shape.valueWidth
    // With one token or one stream both orders are the same.
    let straight = plan.tokens == 1 || shape.streams == 1
    let (arranged, attended, gathered) = try CacheError.scratch { () throws(OutOfMemory) in
      (
        straight
          ? queries
          : try workspace.arranged.reserve(
            plan.tokens * shape.streams * group * shape.keyWidth, of: Float.self),
        try workspace.attended.reserve(attendedCount, of: Float.self),
        straight
          ? workspace.attended.pointer()
          : try workspace.heads.reserve(attendedCount, of: Float.self)
      )
    }
    if !straight {
      HeadOrder.toStreams(
        queries, arranged, tokens: plan.tokens, streams: shape.streams,
        width: group * shape.keyWidth)
    }
    let attendOptions = AttendOptions(
      scale: options.scale ?? 1 / Float(shape.keyWidth).squareRoot(), softCap: options.softCap,
      sinkLogits: options.sinkLogits)
    try workspace.timed(\.attention) { () throws(CacheError) in
      try workspace.executor.attend(
        queries: arranged, plan: plan, layer: cache, options: attendOptions, out: attended)
    }
    if !straight {
      HeadOrder.toTokens(
        attended, gathered, tokens: plan.tokens, streams: shape.streams,
        width: group * shape.valueWidth)
    }
    return gathered
  }

  private func normalise(
    _ rows: UnsafeMutablePointer<Float>, _ weight: [Float]?, rows count: Int, width: Int
  ) {
    guard let weight else { return }
    weight.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      let view = MutableMatrixView(rows, rows: count, columns: width)
      Elementwise.rmsNorm(
        input: view.view, weight: base, epsilon: options.normEpsilon, output: view)
    }
  }

  private func rotate(
    _ rows: UnsafeMutablePointer<Float>, heads: Int, width: Int, plan: BatchPlan,
    workspace: AttentionWorkspace
  ) throws(CacheError) {
    guard let rotary = options.rotary else { return }
    let table = try CacheError.scratch { () throws(OutOfMemory) in
      try workspace.rotaryTable.table(rotary, plan)
    }
    for token in 0..<plan.tokens {
      for head in 0..<heads {
        rotary.rotate(
          rows + (token * heads + head) * width, pairs: rotary.frequencies.count,
          table + token * rotary.frequencies.count)
      }
    }
  }
}

/// Between token-major order `[tokens][streams][width]` and the kernel's stream-major order
/// `[streams][tokens][width]`.
enum HeadOrder {
  static func toStreams(
    _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, tokens: Int, streams: Int,
    width: Int
  ) {
    for token in 0..<tokens {
      for stream in 0..<streams {
        (to + (stream * tokens + token) * width).update(
          from: from + (token * streams + stream) * width, count: width)
      }
    }
  }

  static func toTokens(
    _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>, tokens: Int, streams: Int,
    width: Int
  ) {
    for token in 0..<tokens {
      for stream in 0..<streams {
        (to + (token * streams + stream) * width).update(
          from: from + (stream * tokens + token) * width, count: width)
      }
    }
  }
}
