import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// The stack [position-free keys; values] of one layer and its decomposition: over calibration
/// tokens by the eigenvectors of its second moments, or of the weights alone by their singular
/// vectors. Either gives orthonormal directions of the stack's outputs, of which the first r are the
/// latent; in float64.
///
/// Shapes: n rows of the stack, D hidden width.
struct LatentFactorisation {
  let source: GroupedSource
  let split: RopeSplit
  let method: ConversionOptions.Method
  /// Position-free keys are multiplied by it, so that an element of them weighs as much as an
  /// element of the values.
  let balance: Double
  /// [n × D]: balanced.
  private let weights: DMatrix
  /// Second moments of the balanced stack over calibration tokens, [n × n]; nil without any.
  private let seen: DMatrix?
  /// What is decomposed when calibrated: `seen`, damped.
  private let damped: DMatrix?
  /// Mean of the balanced stack, [n × 1], where what a latent misses of it goes into a bias.
  private let mean: DMatrix?

  /// - Parameters:
  ///   - moments: of the layer; may be nil with `weightsOnly`, where they only serve to measure.
  init(
    source: GroupedSource, split: RopeSplit, moments: ProjectionMoments?,
    options: ConversionOptions
  ) throws {
    self.source = source
    self.split = split
    method = options.method
    let nope = split.nopeRows
    var stack = Self.reduced(source.weights, source, split)
    let total = moments.map { moments in
      // T · M · Tᵀ for a symmetric M: the same map of rows, twice. What the weights alone are cut to
      // knows no means.
      Self.reduced(
        Self.reduced(
          options.method == .calibrated ? source.carriedMoments(moments) : moments.second, source,
          split
        ).transposed, source, split)
    }
    let isCalibrated = options.method == .calibrated
    func energy(_ rows: Range<Int>) -> Double {
      if isCalibrated, let total {
        return rows.reduce(0) { $0 + total[$1, $1] }
      }
      let columns = stack.columns
      return stack.values[rows.lowerBound * columns..<rows.upperBound * columns]
        .reduce(0) { $0 + $1 * $1 }
    }
    let elements = split.nopeElements.reduce(0) { $0 + $1.count }
    let keys = energy(0..<nope)
    let values = energy(nope..<stack.rows)
    // Where only rounding is left of the keys it is not worth a rank.
    let matters = elements > 0 && keys > 1e-18 * values && values > 0
    let balance =
      matters ? ((values / Double(source.keyRows)) / (keys / Double(elements))).squareRoot() : 1
    stack.scaleRows(0..<nope, by: balance)
    self.balance = balance
    weights = stack
    seen = total.map { total in
      var balanced = total
      balanced.scaleRows(0..<nope, by: balance)
      balanced.scaleColumns(0..<nope, by: balance)
      return balanced
    }
    if method == .calibrated, var sum = seen, let moments {
      try Self.addGram(of: stack, times: options.damping * moments.inputEnergy, to: &sum)
      damped = sum
    } else {
      damped = nil
    }
    if method == .calibrated, source.keysShiftFreely, let moments {
      var column = Self.reduced(
        DMatrix(rows: moments.mean.count, columns: 1, values: moments.mean), source, split)
      column.scaleRows(0..<nope, by: balance)
      mean = column
    } else {
      mean = nil
    }
  }

  /// Rows of the stack, n.
  var rows: Int { weights.rows }

  /// [2·K·H × any] → [n × any]: position-free components of the keys over the values.
  private static func reduced(
    _ matrix: DMatrix, _ source: GroupedSource, _ split: RopeSplit
  ) -> DMatrix {
    split.nopeRows(of: matrix, over: source.keyRows..<matrix.rows)
  }

  /// sum += factor · stack · stackᵀ. In float32: a hundredth of the whole needs no more.
  private static func addGram(
    of stack: DMatrix, times factor: Double, to sum: inout DMatrix
  ) throws(OutOfMemory) {
    guard factor > 0 else { return }
    let floats = try Matrix(rows: stack.rows, columns: stack.columns)
    let gram = try Matrix(rows: stack.rows, columns: stack.rows)
    stack.store(
      to: MutableMatrixView(floats.pointer, rows: stack.rows, columns: stack.columns))
    BLAS.syrk(
      size: stack.rows, inner: stack.columns, a: floats.pointer, aStride: stack.columns,
      c: gram.pointer, cStride: stack.rows)
    let n = stack.rows
    sum.values.withUnsafeMutableBufferPointer { values in
      for row in 0..<n {
        for column in row..<n {
          values[row * n + column] += factor * Double(gram.pointer[row * n + column])
        }
      }
    }
    sum.mirrorUpperTriangle()
  }

  /// Energy along each direction, most first: eigenvalues, or squared singular values.
  func spectrum() throws -> [Double] { try decompose(0).energies }

  /// Orthonormal directions, [rank × n], and the energy along all of them. Past the n-th there are
  /// none: those rows are zero.
  private func decompose(_ rank: Int) throws -> (directions: DMatrix, energies: [Double]) {
    let count = min(rank, rows)
    var directions: DMatrix
    let energies: [Double]
    if let damped {
      let eigen = try LAPACK.leadingEigen(damped, count: count)
      (directions, energies) = (eigen.vectors, eigen.values.map { max(0, $0) })
    } else {
      let svd = try LAPACK.svd(weights)
      let left = svd.u.prefixColumns(min(count, svd.singular.count)).transposed
      (directions, energies) = (left, svd.singular.map { $0 * $0 })
    }
    if directions.rows < rank {
      directions = directions.stacked(
        over: DMatrix(rows: rank - directions.rows, columns: rows))
    }
    return (directions, energies)
  }

  /// The latent of `rank` elements, or, for nil, of all rows as they are: nothing but the RoPE split.
  func basis(rank: Int?) throws -> LatentBasis {
    guard let rank else {
      return makeBasis(nil, energies: [])
    }
    let (directions, energies) = try decompose(rank)
    return makeBasis(directions, energies: energies)
  }

  /// - Parameter directions: nil: every row of the stack as it is.
  private func makeBasis(_ directions: DMatrix?, energies: [Double]) -> LatentBasis {
    let nope = split.nopeRows
    let rank = directions?.rows ?? rows
    let up = directions?.transposed ?? .identity(rows)
    var keyRows = up.prefixRows(nope)
    keyRows.scaleRows(0..<nope, by: 1 / balance)
    let width = source.width
    let keyUp = (0..<source.heads).map { split.nopeElements(ofHead: $0, from: keyRows).transposed }
    let valueUp = (0..<source.heads).map { head in
      let first = (nope + head * width) * rank
      return DMatrix(
        rows: width, columns: rank, values: Array(up.values[first..<first + width * rank]))
    }
    let bias = DMatrix(rows: source.bias.count, columns: 1, values: source.bias)
    var carried = Self.reduced(
      DMatrix(rows: source.bias.count, columns: 1, values: source.carriedBias), source, split)
    carried.scaleRows(0..<nope, by: balance)
    func projected(_ matrix: DMatrix) -> DMatrix {
      directions?.multiplied(by: matrix) ?? matrix
    }
    var valueBias = source.weightsSumToOne ? Array(source.bias[source.keyRows...]) : []
    if let mean, let directions {
      // What the latent misses of the values' mean.
      let kept = directions.multiplied(by: projected(mean), transposeSelf: true)
      for row in nope..<rows { valueBias[row - nope] += mean.values[row] - kept.values[row] }
    }
    let downBias = projected(carried).values + split.ropeRows(of: bias).values
    return LatentBasis(
      split: split, rank: rank,
      down: projected(weights).stacked(over: split.ropeRows(of: source.weights)),
      downBias: downBias.allSatisfy { $0 == 0 } ? nil : downBias, keyUp: keyUp,
      valueUp: valueUp, valueBias: valueBias,
      energies: energies,
      errors: directions.map(errors) ?? LatentBasis.Errors(keys: 0, values: 0, both: 0))
  }

  /// Relative errors of keys and values over the calibration tokens, of the weights without any.
  private func errors(_ directions: DMatrix) -> LatentBasis.Errors {
    let nope = split.nopeRows
    // E(I − P)y yᵀ(I − P) with P = RᵀR; its diagonal, row by row.
    let total: [Double]
    var residual: [Double]
    if let seen {
      let image = directions.multiplied(by: seen)
      let again = image.multiplied(by: directions, transposeOther: true)
        .multiplied(by: directions)
      total = (0..<rows).map { seen[$0, $0] }
      residual = total
      for row in 0..<directions.rows {
        for column in 0..<rows {
          residual[column] +=
            directions[row, column] * (again[row, column] - 2 * image[row, column])
        }
      }
    } else {
      let kept = directions.multiplied(
        by: directions.multiplied(by: weights), transposeSelf: true)
      let columns = weights.columns
      func squares(_ row: Int, _ element: (Int) -> Double) -> Double {
        (row * columns..<(row + 1) * columns).reduce(0) { $0 + element($1) * element($1) }
      }
      total = (0..<rows).map { squares($0) { weights.values[$0] } }
      residual = (0..<rows).map { squares($0) { weights.values[$0] - kept.values[$0] } }
    }
    func relative(_ range: Range<Int>) -> Double {
      let whole = range.reduce(0) { $0 + total[$1] }
      return whole > 0 ? (max(0, range.reduce(0) { $0 + residual[$1] }) / whole).squareRoot() : 0
    }
    return LatentBasis.Errors(
      keys: relative(0..<nope), values: relative(nope..<rows), both: relative(0..<rows))
  }
}

/// The rows of one layer in latent form, and how its key heads read them.
///
/// Shapes: r rank, P RoPE width, d_n position-free width, H head width, D hidden width.
struct LatentBasis {
  /// What the rank reduction loses: relative Frobenius errors, position-free keys and values
  /// balanced where they are taken together.
  struct Errors: Sendable, Hashable {
    var keys: Double
    var values: Double
    var both: Double
  }

  let split: RopeSplit
  let rank: Int
  /// [(r + slices·P) × D].
  let down: DMatrix
  let downBias: [Double]?
  /// [r × d_n] a key head.
  let keyUp: [DMatrix]
  /// [H × r] a key head.
  let valueUp: [DMatrix]
  /// What the values' bias adds to every head, K·H elements; empty where the latent carries it.
  let valueBias: [Double]
  /// Energy along all directions, most first; empty where nothing was decomposed.
  let energies: [Double]
  let errors: Errors
}

extension DMatrix {
  static func identity(_ size: Int) -> DMatrix {
    var result = DMatrix(rows: size, columns: size)
    for index in 0..<size { result[index, index] = 1 }
    return result
  }

  mutating func scaleRows(_ range: Range<Int>, by factor: Double) {
    for index in range.lowerBound * columns..<range.upperBound * columns {
      values[index] *= factor
    }
  }

  mutating func scaleColumns(_ range: Range<Int>, by factor: Double) {
    for row in 0..<rows {
      for column in range { values[row * columns + column] *= factor }
    }
  }
}
