import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// What calibration tokens say about one layer's keys and values: all that a factorisation needs,
/// whatever its rank or its RoPE slice.
///
/// Shapes: K key/value heads, H head width, D hidden width.
public struct ProjectionMoments: Sendable {
  /// Tokens that were seen.
  public let tokens: Int
  /// Mean of y·yᵀ over the tokens, [2·K·H × 2·K·H], with y = [keys before RoPE; values], biases left
  /// out.
  public let second: DMatrix
  /// Mean of y.
  public let mean: [Double]
  /// Mean square of an element of the hidden state that is projected.
  public let inputEnergy: Double
  /// For each key head and RoPE pair Σ over its query heads of mean‖query pair‖ · mean‖key pair‖,
  /// biases included (MHA2MLA, arXiv 2502.14837); [K × H/2]. Nil where nobody asked for them.
  public let pairScores: DMatrix?
}

/// Adds up the moments of one layer, block of tokens by block of tokens.
public final class MomentAccumulator {
  private let module: MultiHeadAttention
  private let key: Linear
  private let value: Linear
  private let scoresPairs: Bool
  private let pool: WorkerPool
  private let scratch: LinearScratch
  private var tokens = 0
  private var second: DMatrix
  private var mean: [Double]
  private var inputSquares = 0.0
  private var queryNorms: [Double]
  private var keyNorms: [Double]
  private var rows = ScratchBuffer()
  private var widened = ScratchBuffer()
  private var queries = ScratchBuffer()

  private var heads: Int { module.layout.shape.streams }
  private var group: Int { module.layout.shape.queryHeadsPerStream }
  private var width: Int { module.layout.shape.keyWidth }

  /// - Parameters:
  ///   - module: a layer that owns its rows.
  ///   - scoresPairs: whether a RoPE slice a head will be chosen, which needs the queries.
  /// - Throws: `ConversionError`, `OutOfMemory`.
  public init(_ module: MultiHeadAttention, scoresPairs: Bool = true, pool: WorkerPool) throws {
    guard let key = module.key, let value = module.value else {
      throw ConversionError(
        target: "calibration", layer: module.layout.layer, reason: "the layer has no keys to see")
    }
    self.module = module
    self.key = Linear(weight: key.weight)
    self.value = Linear(weight: value.weight)
    self.pool = pool
    self.scoresPairs = scoresPairs
    scratch = try LinearScratch(maximumInputs: module.query.inputs, threads: pool.threads)
    let size = key.outputs + value.outputs
    second = DMatrix(rows: size, columns: size)
    mean = Array(repeating: 0, count: size)
    queryNorms = Array(repeating: 0, count: module.query.outputs / 2)
    keyNorms = Array(repeating: 0, count: key.outputs / 2)
  }

  /// Adds tokens, a block of one to two thousand at best. Projections are float32, sums float64.
  /// - Parameter hidden: [tokens × D], as the layer's projections read it.
  /// - Throws: `ConversionError` where a key or a value is not finite; `OutOfMemory`.
  public func add(_ hidden: MatrixView) throws {
    let size = second.rows
    let block = MutableMatrixView(
      try rows.reserve(hidden.rows * size), rows: hidden.rows, columns: size)
    let keys = block.columns(0..<key.outputs)
    key.apply(input: hidden, output: keys, pool: pool, scratch: scratch)
    value.apply(
      input: hidden, output: block.columns(key.outputs..<size), pool: pool, scratch: scratch)
    try addFirstMoments(hidden: hidden, rows: block.view)
    let doubles = try widened.reserve(hidden.rows * size, of: Double.self)
    for index in 0..<hidden.rows * size { doubles[index] = Double(block.view.pointer[index]) }
    OpenBLAS.withThreads(pool.threads) {
      second.values.withUnsafeMutableBufferPointer { sums in
        guard let sums = sums.baseAddress else { return }
        BLAS.syrk(
          size: size, inner: hidden.rows, a: doubles, aStride: size, transposeA: true, beta: 1,
          c: sums, cStride: size)
      }
    }
    if scoresPairs { try addPairNorms(hidden: hidden, keys: keys) }
    tokens += hidden.rows
  }

  private func addFirstMoments(hidden: MatrixView, rows: MatrixView) throws {
    for token in 0..<hidden.rows {
      let (input, row) = (hidden.row(token), rows.row(token))
      for column in 0..<hidden.columns { inputSquares += Double(input[column] * input[column]) }
      mean.withUnsafeMutableBufferPointer { mean in
        for column in mean.indices { mean[column] += Double(row[column]) }
      }
    }
    guard inputSquares.isFinite, mean.allSatisfy(\.isFinite) else {
      throw ConversionError(
        target: "calibration", layer: module.layout.layer,
        reason: "found NaN or infinity in the keys and values of the calibration tokens "
          + "\(tokens) to \(tokens + hidden.rows - 1), expected finite numbers")
    }
  }

  /// ‖pair‖ does not depend on the position: RoPE turns pairs.
  private func addPairNorms(hidden: MatrixView, keys: MutableMatrixView) throws {
    let result = MutableMatrixView(
      try queries.reserve(hidden.rows * module.query.outputs), rows: hidden.rows,
      columns: module.query.outputs)
    module.query.apply(input: hidden, output: result, pool: pool, scratch: scratch)
    Self.addNorms(result.view, bias: nil, width: width, to: &queryNorms)
    Self.addNorms(keys.view, bias: module.key?.bias, width: width, to: &keyNorms)
  }

  private static func addNorms(
    _ rows: MatrixView, bias: [Float]?, width: Int, to sums: inout [Double]
  ) {
    let half = width / 2
    let shift = bias ?? [Float](repeating: 0, count: rows.columns)
    for token in 0..<rows.rows {
      let row = rows.row(token)
      for head in 0..<rows.columns / width {
        for pair in 0..<half {
          let place = head * width + pair
          let (real, imaginary) = (
            row[place] + shift[place], row[place + half] + shift[place + half]
          )
          sums[head * half + pair] += Double(
            (real * real + imaginary * imaginary).squareRoot())
        }
      }
    }
  }

  /// The moments of all tokens so far.
  /// - Precondition: there is at least one.
  public func moments() -> ProjectionMoments {
    precondition(tokens > 0, "moments of no tokens")
    let share = 1 / Double(tokens)
    var result = second
    result.mirrorUpperTriangle()
    for index in result.values.indices { result.values[index] *= share }
    return ProjectionMoments(
      tokens: tokens, second: result, mean: mean.map { $0 * share },
      inputEnergy: inputSquares * share / Double(module.query.inputs),
      pairScores: scoresPairs ? scores(share) : nil)
  }

  private func scores(_ share: Double) -> DMatrix {
    let half = width / 2
    var scores = DMatrix(rows: heads, columns: half)
    for head in 0..<heads {
      for pair in 0..<half {
        let sum = (head * group..<(head + 1) * group).reduce(0.0) {
          $0 + queryNorms[$1 * half + pair]
        }
        scores[head, pair] = sum * share * keyNorms[head * half + pair] * share
      }
    }
    return scores
  }
}
