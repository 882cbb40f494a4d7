import COpenBLAS

/// Large dense products, by OpenBLAS. All matrices are row-major; strides are elements.
public enum BLAS {
  /// c = alpha · op(a) · op(b) + beta · c in float32, with op(a) `rows` × `inner`, op(b)
  /// `inner` × `columns` and c `rows` × `columns`. With `beta` 0, c is not read.
  public static func gemm(
    rows: Int, columns: Int, inner: Int, alpha: Float = 1,
    a: UnsafePointer<Float>, aStride: Int, transposeA: Bool = false,
    b: UnsafePointer<Float>, bStride: Int, transposeB: Bool = false,
    beta: Float = 0, c: UnsafeMutablePointer<Float>, cStride: Int
  ) {
    cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
      transposeB ? CblasTrans : CblasNoTrans, blasint(rows), blasint(columns), blasint(inner),
      alpha, a, blasint(aStride), b, blasint(bStride), beta, c, blasint(cStride))
  }

  /// c = alpha · op(a) · op(b) + beta · c in float64, with op(a) `rows` × `inner`, op(b)
  /// `inner` × `columns` and c `rows` × `columns`. With `beta` 0, c is not read.
  public static func gemm(
    rows: Int, columns: Int, inner: Int, alpha: Double = 1,
    a: UnsafePointer<Double>, aStride: Int, transposeA: Bool = false,
    b: UnsafePointer<Double>, bStride: Int, transposeB: Bool = false,
    beta: Double = 0, c: UnsafeMutablePointer<Double>, cStride: Int
  ) {
    cblas_dgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans,
      transposeB ? CblasTrans : CblasNoTrans, blasint(rows), blasint(columns), blasint(inner),
      alpha, a, blasint(aStride), b, blasint(bStride), beta, c, blasint(cStride))
  }
}

/// The library behind `BLAS` and `LAPACK`. Its thread count is a setting of the whole process.
public enum OpenBLAS {
  /// Threads that one BLAS or LAPACK call may use.
  public static var threads: Int { Int(openblas_get_num_threads()) }

  /// Sets the threads that one BLAS or LAPACK call may use.
  public static func setThreads(_ count: Int) {
    precondition(count >= 1)
    openblas_set_num_threads(Int32(count))
  }

  /// The products of `Linear` and `HeadwiseLinear` run on a worker pool, one call a worker.
  static func requireOneThread() {
    if openblas_get_num_threads() != 1 { openblas_set_num_threads(1) }
  }

  /// Runs `body` with `count` OpenBLAS threads and restores the setting. For work outside any
  /// worker pool's job, such as a large decomposition.
  public static func withThreads<Result, Failure: Error>(
    _ count: Int, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let before = threads
    setThreads(count)
    defer { setThreads(before) }
    return try body()
  }

  /// Version, build options and the processor core whose kernels run, as the library prints them,
  /// such as `OpenBLAS 0.3.21 NO_AFFINITY … Haswell MAX_THREADS=64`.
  public static var configuration: String {
    String(cString: openblas_get_config()).trimmingBlanks()
  }

  /// The processor core whose kernels run, such as `Haswell`.
  public static var core: String { String(cString: openblas_get_corename()) }
}

extension String {
  fileprivate func trimmingBlanks() -> String {
    var text = Substring(self)
    while let last = text.last, last.isWhitespace { text.removeLast() }
    return String(text)
  }
}
