import COpenBLAS

extension BLAS {
  /// The upper triangle of c = alpha · op(a) · op(a)ᵀ + beta · c in float32, with op(a) `size` ×
  /// `inner`. Half the work of the general product; below the diagonal c is not touched.
  public static func syrk(
    size: Int, inner: Int, alpha: Float = 1, a: UnsafePointer<Float>, aStride: Int,
    transposeA: Bool = false, beta: Float = 0, c: UnsafeMutablePointer<Float>, cStride: Int
  ) {
    cblas_ssyrk(
      CblasRowMajor, CblasUpper, transposeA ? CblasTrans : CblasNoTrans, blasint(size),
      blasint(inner), alpha, a, blasint(aStride), beta, c, blasint(cStride))
  }

  /// The upper triangle of c = alpha · op(a) · op(a)ᵀ + beta · c in float64.
  public static func syrk(
    size: Int, inner: Int, alpha: Double = 1, a: UnsafePointer<Double>, aStride: Int,
    transposeA: Bool = false, beta: Double = 0, c: UnsafeMutablePointer<Double>, cStride: Int
  ) {
    cblas_dsyrk(
      CblasRowMajor, CblasUpper, transposeA ? CblasTrans : CblasNoTrans, blasint(size),
      blasint(inner), alpha, a, blasint(aStride), beta, c, blasint(cStride))
  }
}

extension DMatrix {
  /// Copies the upper triangle of a square matrix over the lower one.
  public mutating func mirrorUpperTriangle() {
    precondition(rows == columns, "only a square matrix has two triangles")
    let n = rows
    values.withUnsafeMutableBufferPointer { values in
      // Blocks, so that neither the rows read nor the columns written leave the cache.
      let block = 64
      for top in stride(from: 0, to: n, by: block) {
        for left in stride(from: top, to: n, by: block) {
          for row in top..<min(top + block, n) {
            for column in max(left, row + 1)..<max(min(left + block, n), row + 1) {
              values[column * n + row] = values[row * n + column]
            }
          }
        }
      }
    }
  }

  /// self += factor · other.
  public mutating func add(_ other: DMatrix, times factor: Double = 1) {
    precondition(rows == other.rows && columns == other.columns, "shapes differ")
    values.withUnsafeMutableBufferPointer { target in
      other.values.withUnsafeBufferPointer { source in
        for index in target.indices { target[index] += factor * source[index] }
      }
    }
  }
}
