import COpenBLAS

/// A small dense float64 matrix, row-major without gaps.
public struct DMatrix: Sendable, Equatable {
  /// Number of rows.
  public let rows: Int
  /// Number of columns.
  public let columns: Int
  /// Element (i, j) is `values[i * columns + j]`.
  public var values: [Double]

  /// A zero matrix.
  public init(rows: Int, columns: Int) {
    self.init(
      rows: rows, columns: columns, values: [Double](repeating: 0, count: rows * columns))
  }

  /// A matrix from `rows * columns` values in row-major order.
  public init(rows: Int, columns: Int, values: [Double]) {
    precondition(rows >= 0 && columns >= 0 && values.count == rows * columns)
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  /// The matrix of `view`'s elements.
  public init(_ view: MatrixView) {
    self.init(rows: view.rows, columns: view.columns)
    for row in 0..<rows {
      for column in 0..<columns {
        values[row * columns + column] = Double(view.row(row)[column])
      }
    }
  }

  /// The element at `row`, `column`.
  public subscript(row: Int, column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  /// Rows and columns exchanged.
  public var transposed: DMatrix {
    var result = DMatrix(rows: columns, columns: rows)
    for row in 0..<rows {
      for column in 0..<columns { result[column, row] = self[row, column] }
    }
    return result
  }

  /// The leading `count` rows.
  public func prefixRows(_ count: Int) -> DMatrix {
    precondition(count >= 0 && count <= rows)
    return DMatrix(rows: count, columns: columns, values: Array(values[..<(count * columns)]))
  }

  /// The leading `count` columns.
  public func prefixColumns(_ count: Int) -> DMatrix {
    precondition(count >= 0 && count <= columns)
    var result = DMatrix(rows: rows, columns: count)
    for row in 0..<rows {
      for column in 0..<count { result[row, column] = self[row, column] }
    }
    return result
  }

  /// Writes the elements, rounded to float32, to rows of `target`, which has this matrix's shape.
  public func store(to target: MutableMatrixView) {
    precondition(target.rows == rows && target.columns == columns)
    for row in 0..<rows {
      for column in 0..<columns { target.row(row)[column] = Float(self[row, column]) }
    }
  }

  /// op(self) · op(other), by OpenBLAS.
  public func multiplied(
    by other: DMatrix, transposeSelf: Bool = false, transposeOther: Bool = false
  ) -> DMatrix {
    let (m, k) = transposeSelf ? (columns, rows) : (rows, columns)
    let (inner, n) = transposeOther ? (other.columns, other.rows) : (other.rows, other.columns)
    precondition(k == inner, "inner dimensions differ")
    var result = DMatrix(rows: m, columns: n)
    if m == 0 || n == 0 || k == 0 { return result }
    values.withUnsafeBufferPointer { a in
      other.values.withUnsafeBufferPointer { b in
        result.values.withUnsafeMutableBufferPointer { c in
          guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
          BLAS.gemm(
            rows: m, columns: n, inner: k, a: a, aStride: columns, transposeA: transposeSelf, b: b,
            bStride: other.columns, transposeB: transposeOther, c: c, cStride: n)
        }
      }
    }
    return result
  }

  func requireFinite(_ operation: String) throws(LAPACKError) {
    if let index = values.firstIndex(where: { !$0.isFinite }) {
      throw .notFinite(operation: operation, row: index / columns, column: index % columns)
    }
  }
}

/// Why a decomposition was not done.
public enum LAPACKError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The matrix holds NaN or an infinity at `row`, `column`.
  case notFinite(operation: String, row: Int, column: Int)
  /// The shape does not suit the operation.
  case shape(operation: String, rows: Int, columns: Int, expected: String)
  /// LAPACK's `info`: positive where it did not converge, negative for a refused argument, −1010
  /// and −1011 for a work area that could not be allocated.
  case failed(operation: String, info: Int)

  /// One line: operation, place, cause.
  public var description: String {
    switch self {
    case .notFinite(let operation, let row, let column):
      "\(operation): element (\(row), \(column)) is not a finite number"
    case .shape(let operation, let rows, let columns, let expected):
      "\(operation): a \(rows) × \(columns) matrix where \(expected) is expected"
    case .failed(let operation, let info) where info > 0:
      "\(operation): no convergence (info \(info))"
    case .failed(let operation, let info):
      "\(operation): refused or out of memory (info \(info))"
    }
  }
}

/// Decompositions in float64, by LAPACK as OpenBLAS carries it.
public enum LAPACK {
  /// A = U · diag(singular) · Vᵀ, thin: k = min(m, n).
  public struct SVD: Sendable {
    /// [m × k], orthonormal columns.
    public let u: DMatrix
    /// k values, descending, none negative.
    public let singular: [Double]
    /// [k × n], orthonormal rows.
    public let vt: DMatrix
  }

  /// A = Vᵀ · diag(values) · V with the eigenvectors as V's rows.
  public struct SymmetricEigen: Sendable {
    /// n values, ascending.
    public let values: [Double]
    /// [n × n]: row i is the unit eigenvector of `values[i]`.
    public let vectors: DMatrix
  }

  /// The thin singular value decomposition of an m × n matrix (`dgesdd`).
  /// - Throws: `LAPACKError` for an empty matrix, an element that is not finite, or failure.
  public static func svd(_ matrix: DMatrix) throws(LAPACKError) -> SVD {
    let (m, n) = (matrix.rows, matrix.columns)
    guard m > 0 && n > 0 else {
      throw .shape(operation: "svd", rows: m, columns: n, expected: "a non-empty matrix")
    }
    try matrix.requireFinite("svd")
    let k = min(m, n)
    var a = matrix.values
    var singular = [Double](repeating: 0, count: k)
    var u = DMatrix(rows: m, columns: k)
    var vt = DMatrix(rows: k, columns: n)
    // Row-major A is Aᵀ to LAPACK: its left vectors, column by column, are the rows of Vᵀ here.
    let info = LAPACKE_dgesdd(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "S")), Int32(n), Int32(m), &a, Int32(n),
      &singular, &vt.values, Int32(n), &u.values, Int32(k))
    guard info == 0 else { throw .failed(operation: "svd", info: Int(info)) }
    return SVD(u: u, singular: singular, vt: vt)
  }

  /// Eigenvalues and eigenvectors of a symmetric matrix (`dsyevd`), of which only the upper
  /// triangle is read.
  /// - Throws: `LAPACKError` for a matrix that is empty or not square, an element that is not
  ///   finite, or failure.
  public static func symmetricEigen(_ matrix: DMatrix) throws(LAPACKError) -> SymmetricEigen {
    let n = matrix.rows
    guard n > 0 && matrix.columns == n else {
      throw .shape(
        operation: "symmetric eigen", rows: n, columns: matrix.columns,
        expected: "a square matrix")
    }
    try matrix.requireFinite("symmetric eigen")
    var vectors = matrix
    var values = [Double](repeating: 0, count: n)
    // The upper triangle in row-major order is the lower one to LAPACK.
    let info = LAPACKE_dsyevd(
      LAPACK_COL_MAJOR, CChar(UInt8(ascii: "V")), CChar(UInt8(ascii: "L")), Int32(n),
      &vectors.values, Int32(n), &values)
    guard info == 0 else { throw .failed(operation: "symmetric eigen", info: Int(info)) }
    return SymmetricEigen(values: values, vectors: vectors)
  }
}
