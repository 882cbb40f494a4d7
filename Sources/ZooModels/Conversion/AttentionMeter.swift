import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Compares a layer's attention with candidates for its place, on the same hidden states: some
/// segments of the calibration tokens.
final class AttentionMeter {
  private let workspace: AttentionWorkspace
  private var inputs: [Matrix] = []
  private var expected: [Matrix] = []

  /// - Throws: `OutOfMemory`.
  init(pool: WorkerPool) throws(OutOfMemory) {
    workspace = try AttentionWorkspace(pool: pool, maximumInputs: 1)
  }

  /// Runs the original on what it reads.
  /// - Parameter inputs: normalised hidden states, [tokens × D] a segment.
  /// - Throws: `CacheError`, `OutOfMemory`.
  func begin(_ original: any AttentionModule, inputs: [Matrix]) throws {
    self.inputs = inputs
    var caches = RowCaches(segments: inputs.map(\.rows))
    let layout = original.layout.inFloat32
    try caches.begin(layout, readers: [])
    expected = try inputs.indices.map {
      try run(original, layout: layout, segment: $0, caches: caches)
    }
  }

  /// Relative error of a candidate that owns its rows.
  func error(of candidate: LatentAttention) throws -> Double {
    var caches = RowCaches(segments: inputs.map(\.rows))
    return try error(of: candidate, layout: candidate.layout, readers: [], caches: &caches)
  }

  /// ‖candidate − original‖ ÷ ‖original‖ of attention's results.
  /// - Parameters:
  ///   - readers: layouts of the later layers that read the candidate's rows.
  ///   - caches: of the candidate's variant, for the layer's segments.
  func error(
    of candidate: any AttentionModule, layout: KVLayout, readers: [KVLayout],
    caches: inout RowCaches
  ) throws -> Double {
    try caches.begin(layout, readers: readers)
    var (difference, whole) = (0.0, 0.0)
    for segment in inputs.indices {
      let result = try run(candidate, layout: layout, segment: segment, caches: caches)
      for index in 0..<result.rows * result.columns {
        let (left, right) = (
          Double(result.pointer[index]), Double(expected[segment].pointer[index])
        )
        difference += (left - right) * (left - right)
        whole += right * right
      }
    }
    caches.end(layout)
    return whole > 0 ? (difference / whole).squareRoot() : 0
  }

  private func run(
    _ module: any AttentionModule, layout: KVLayout, segment: Int, caches: RowCaches
  ) throws -> Matrix {
    try workspace.reserve(maximumInputs: module.widestInputs)
    let input = inputs[segment]
    let result = try Matrix(rows: input.rows, columns: input.columns)
    try caches.withCache(layout, segment: segment) { cache, plan in
      try module.forward(
        hidden: input.view, plan: plan, cache: cache, workspace: workspace,
        output: MutableMatrixView(result.pointer, rows: result.rows, columns: result.columns))
    }
    return result
  }
}
