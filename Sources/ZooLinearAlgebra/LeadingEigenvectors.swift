import COpenBLAS

extension LAPACK {
  /// All eigenvalues of a symmetric matrix and the eigenvectors of the largest.
  public struct LeadingEigen: Sendable {
    /// n values, descending.
    public let values: [Double]
    /// [count × n]: row i is the unit eigenvector of `values[i]`.
    public let vectors: DMatrix
  }

  /// All eigenvalues of a symmetric matrix and the eigenvectors of the `count` largest.
  ///
  /// The stages of `dsyevd` (reduction to tridiagonal form, divide and conquer, transformation
  /// back), of which the last, as costly as the first, is done for the wanted vectors only.
  /// - Parameter matrix: [n × n]; only the upper triangle is read.
  /// - Throws: `LAPACKError` for a matrix that is empty or not square, an element that is not
  ///   finite, or failure.
  public static func leadingEigen(
    _ matrix: DMatrix, count: Int
  ) throws(LAPACKError) -> LeadingEigen {
    let n = matrix.rows
    guard n > 0 && matrix.columns == n else {
      throw .shape(
        operation: "leading eigenvectors", rows: n, columns: matrix.columns,
        expected: "a square matrix")
    }
    precondition(count >= 0 && count <= n, "no more vectors than the matrix has")
    try matrix.requireFinite("leading eigenvectors")
    func check(_ info: Int32) throws(LAPACKError) {
      guard info == 0 else { throw .failed(operation: "leading eigenvectors", info: Int(info)) }
    }
    // The upper triangle in row-major order is the lower one to LAPACK.
    var reduced = matrix.values
    var diagonal = [Double](repeating: 0, count: n)
    var beside = [Double](repeating: 0, count: n)
    var reflectors = [Double](repeating: 0, count: n)
    let lower = CChar(UInt8(ascii: "L"))
    try check(
      LAPACKE_dsytrd(
        LAPACK_COL_MAJOR, lower, Int32(n), &reduced, Int32(n), &diagonal, &beside, &reflectors))
    var vectors = DMatrix(rows: n, columns: n)
    try check(
      LAPACKE_dstedc(
        LAPACK_COL_MAJOR, CChar(UInt8(ascii: "I")), Int32(n), &diagonal, &beside, &vectors.values,
        Int32(n)))
    // A column to LAPACK is a row here, and they come in ascending order: the wanted are the last.
    var kept = DMatrix(
      rows: count, columns: n, values: Array(vectors.values[((n - count) * n)...]))
    if count > 0 {
      try check(
        LAPACKE_dormtr(
          LAPACK_COL_MAJOR, lower, lower, CChar(UInt8(ascii: "N")), Int32(n), Int32(count),
          &reduced, Int32(n), &reflectors, &kept.values, Int32(n)))
    }
    var descending = DMatrix(rows: count, columns: n)
    for row in 0..<count {
      let from = (count - 1 - row) * n
      descending.values.replaceSubrange(row * n..<(row + 1) * n, with: kept.values[from..<from + n])
    }
    return LeadingEigen(values: diagonal.reversed(), vectors: descending)
  }
}
