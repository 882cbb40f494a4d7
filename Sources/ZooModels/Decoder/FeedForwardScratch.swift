import ZooLinearAlgebra
import ZooMemory

/// Scratch memory of the feed-forward parts of a model, one after the other.
struct FeedForwardScratch {
  private var gate = ScratchBuffer()
  private var up = ScratchBuffer()
  private var mixture = ExpertScratch()

  var mappedBytes: Int { gate.mappedBytes + up.mappedBytes + mixture.mappedBytes }

  /// output = feedForward(input).
  /// - Parameters:
  ///   - input: `[rows × D]`.
  ///   - output: `[rows × D]`, apart from `input`; overwritten.
  mutating func apply(
    _ feedForward: FeedForward, input: MatrixView, output: MutableMatrixView, pool: WorkerPool,
    linear: LinearScratch
  ) throws(OutOfMemory) {
    switch feedForward {
    case .dense(let mlp):
      try apply(mlp, input: input, output: output, pool: pool, linear: linear)
    case .mixture(let experts):
      try apply(experts, input: input, output: output, pool: pool, linear: linear)
    }
  }

  mutating func apply(
    _ mlp: GatedMLP, input: MatrixView, output: MutableMatrixView, pool: WorkerPool,
    linear: LinearScratch
  ) throws(OutOfMemory) {
    let (rows, width) = (input.rows, mlp.width)
    let gated = MutableMatrixView(try gate.reserve(rows * width), rows: rows, columns: width)
    let raised = MutableMatrixView(try up.reserve(rows * width), rows: rows, columns: width)
    mlp.gate.apply(input: input, output: gated, pool: pool, scratch: linear)
    mlp.up.apply(input: input, output: raised, pool: pool, scratch: linear)
    switch mlp.activation {
    case .silu: Elementwise.swiGLU(gate: gated.view, up: raised.view, output: gated)
    case .geluTanh: Elementwise.geGLU(gate: gated.view, up: raised.view, output: gated)
    case .clampedSwish(let alpha, let limit):
      Elementwise.clampedSwiGLU(
        gate: gated.view, up: raised.view, alpha: alpha, limit: limit, output: gated)
    }
    mlp.down.apply(input: gated.view, output: output, pool: pool, scratch: linear)
  }

  /// The tokens of each expert go through it together; their results are added by weight, expert
  /// after expert, so that the sum does not depend on the number of threads.
  private mutating func apply(
    _ experts: ExpertMixture, input: MatrixView, output: MutableMatrixView, pool: WorkerPool,
    linear: LinearScratch
  ) throws(OutOfMemory) {
    if let shared = experts.shared {
      try apply(shared, input: input, output: output, pool: pool, linear: linear)
      if let gate = experts.sharedGate {
        try mixture.gate(output, by: gate, input: input, pool: pool, linear: linear)
      }
    } else {
      for row in 0..<output.rows { output.row(row).update(repeating: 0, count: output.columns) }
    }
    try mixture.route(experts, input: input, pool: pool, linear: linear)
    for index in experts.experts.indices {
      guard let batch = try mixture.gather(expert: index, from: input) else { continue }
      try apply(
        experts.experts[index], input: batch.input, output: batch.output, pool: pool,
        linear: linear)
      mixture.scatter(expert: index, batch.output.view, to: output)
    }
  }
}
