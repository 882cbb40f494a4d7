import CAttentionKernels
import ZooMemory

/// Tokens `begin ..< end` of a stream.
public struct TokenRange: Sendable, Hashable {
  public var begin: Int
  public var end: Int

  public init(_ begin: Int, _ end: Int) {
    self.begin = begin
    self.end = end
  }
}

/// The one primitive: a group of query rows against the rows of one stream, over token ranges.
///
/// Rows and queries are rotated already; there is no projection and nothing is allocated.
/// - Parameters:
///   - queries: `[rows][key width]`, `queryStride` elements apart.
///   - ranges: tokens that every row sees; all must be held by the stream.
///   - sinkLogits: one a row, or nil.
///   - out: `[rows][value width]`, `outStride` elements apart; zeros where nothing is seen.
///   - workspace: at least `attendWorkspaceBytes`, 64-byte aligned.
public func attend(
  queries: UnsafePointer<Float>, rows: Int, queryStride: Int, view: StreamView,
  ranges: [TokenRange], scale: Float, softCap: Float = 0, sinkLogits: UnsafePointer<Float>? = nil,
  out: UnsafeMutablePointer<Float>, outStride: Int, workspace: UnsafeMutableRawPointer
) {
  let width = Int(view.raw.value_width)
  let kernelBytes = attn_workspace_bytes(Int32(rows), view.raw.key_width, view.raw.value_width)
  let state = (workspace + kernelBytes).assumingMemoryBound(to: Float.self)
  let accumulator = state + 2 * rows
  var partial = attn_partial(
    accumulator: accumulator, accumulator_stride: Int64(width), maximum: state, sum: state + rows)
  var call = attn_queries()
  call.queries = queries
  call.query_stride = Int64(queryStride)
  call.rows = Int32(rows)
  call.scale = scale
  call.soft_cap = softCap
  attn_partial_reset(&partial, Int32(rows), Int32(width))
  withUnsafePointer(to: view.raw) { stream in
    for range in ranges {
      var tokens = attn_range(begin: Int64(range.begin), end: Int64(range.end))
      attn_attend(stream, &call, &tokens, 1, &partial, workspace)
    }
  }
  attn_merge(&partial, 1, Int32(rows), Int32(width), sinkLogits, out, Int64(outStride))
}

/// Bytes of workspace that `attend` needs for `rows` query rows on `view`.
public func attendWorkspaceBytes(rows: Int, view: StreamView) -> Int {
  attn_workspace_bytes(Int32(rows), view.raw.key_width, view.raw.value_width)
    + rows * (2 + Int(view.raw.value_width)) * MemoryLayout<Float>.stride
}
