import Testing
import ZooLinearAlgebra

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct LAPACKTests {
  static func random(_ rows: Int, _ columns: Int, seed: UInt64) -> DMatrix {
    DMatrix(
      rows: rows, columns: columns,
      values: randomValues(rows * columns, seed: seed).map(Double.init)
    )
  }

  static func difference(_ a: DMatrix, _ b: DMatrix) -> Double {
    zip(a.values, b.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  static func identity(_ size: Int) -> DMatrix {
    var result = DMatrix(rows: size, columns: size)
    for index in 0..<size { result[index, index] = 1 }
    return result
  }

  /// diag(values) · matrix.
  static func scaled(_ matrix: DMatrix, rowsBy values: [Double]) -> DMatrix {
    var result = matrix
    for row in 0..<matrix.rows {
      for column in 0..<matrix.columns { result[row, column] *= values[row] }
    }
    return result
  }

  @Test(
    "An SVD is thin, orthogonal, descending, and multiplies back",
    arguments: [(1, 1), (1, 6), (6, 1), (5, 5), (40, 7), (7, 40), (129, 64)])
  func svd(rows: Int, columns: Int) throws {
    let a = Self.random(rows, columns, seed: 31)
    let svd = try LAPACK.svd(a)
    let k = min(rows, columns)
    #expect(svd.u.rows == rows && svd.u.columns == k)
    #expect(svd.vt.rows == k && svd.vt.columns == columns)
    #expect(svd.singular.count == k && svd.singular.allSatisfy { $0 >= 0 })
    #expect(zip(svd.singular, svd.singular.dropFirst()).allSatisfy { $0 >= $1 })
    let product = svd.u.multiplied(by: Self.scaled(svd.vt, rowsBy: svd.singular))
    #expect(Self.difference(product, a) < 1e-12)
    #expect(
      Self.difference(svd.u.multiplied(by: svd.u, transposeSelf: true), Self.identity(k)) < 1e-12)
    #expect(
      Self.difference(svd.vt.multiplied(by: svd.vt, transposeOther: true), Self.identity(k)) < 1e-12
    )
  }

  @Test("Singular values of a known matrix")
  func knownSingularValues() throws {
    // [[3, 0], [4, 5]]: AᵀA = [[25, 20], [20, 25]] has eigenvalues 45 and 5.
    let svd = try LAPACK.svd(DMatrix(rows: 2, columns: 2, values: [3, 0, 4, 5]))
    #expect(abs(svd.singular[0] - 45.0.squareRoot()) < 1e-14)
    #expect(abs(svd.singular[1] - 5.0.squareRoot()) < 1e-14)
  }

  @Test("A rank-deficient matrix has that many singular values of zero")
  func rank() throws {
    let a = Self.random(30, 4, seed: 32).multiplied(by: Self.random(4, 20, seed: 33))
    let singular = try LAPACK.svd(a).singular
    #expect(singular[3] > 1e-3 && singular[4] < 1e-12)
  }

  @Test("The best approximation of rank k errs by the next singular values")
  func lowRank() throws {
    let a = Self.random(24, 18, seed: 34)
    let svd = try LAPACK.svd(a)
    let k = 6
    let approximation = svd.u.prefixColumns(k).multiplied(
      by: Self.scaled(svd.vt.prefixRows(k), rowsBy: svd.singular))
    let error = zip(approximation.values, a.values).reduce(0) {
      $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
    }
    let expected = svd.singular[k...].reduce(0) { $0 + $1 * $1 }
    #expect(abs(error - expected) < 1e-10)
  }

  @Test("Eigenvalues ascend and eigenvectors are orthonormal rows", arguments: [1, 2, 9, 65])
  func eigen(size: Int) throws {
    let b = Self.random(size, size, seed: 35)
    var a = b.multiplied(by: b, transposeSelf: true)
    a[0, 0] -= 3  // Not only positive ones.
    let eigen = try LAPACK.symmetricEigen(a)
    #expect(zip(eigen.values, eigen.values.dropFirst()).allSatisfy { $0 <= $1 })
    let v = eigen.vectors
    #expect(
      Self.difference(v.multiplied(by: v, transposeOther: true), Self.identity(size)) < 1e-12)
    let product = v.multiplied(by: Self.scaled(v, rowsBy: eigen.values), transposeSelf: true)
    #expect(Self.difference(product, a) < 1e-11)
  }

  @Test("Eigenvalues of a known matrix")
  func knownEigenvalues() throws {
    let eigen = try LAPACK.symmetricEigen(DMatrix(rows: 2, columns: 2, values: [2, 1, 1, 2]))
    #expect(abs(eigen.values[0] - 1) < 1e-14 && abs(eigen.values[1] - 3) < 1e-14)
  }

  @Test("NaN and infinity are refused by place", arguments: [Double.nan, .infinity, -.infinity])
  func notFinite(poison: Double) {
    var a = Self.random(5, 5, seed: 36)
    a[3, 2] = poison
    #expect(throws: LAPACKError.notFinite(operation: "svd", row: 3, column: 2)) {
      try LAPACK.svd(a)
    }
    #expect(throws: LAPACKError.notFinite(operation: "symmetric eigen", row: 3, column: 2)) {
      try LAPACK.symmetricEigen(a)
    }
    #expect(
      LAPACKError.notFinite(operation: "svd", row: 3, column: 2).description
        == "svd: element (3, 2) is not a finite number")
  }

  @Test("Shapes that make no sense are refused")
  func shapes() {
    #expect(throws: LAPACKError.self) { try LAPACK.svd(DMatrix(rows: 0, columns: 4)) }
    #expect(throws: LAPACKError.self) { try LAPACK.symmetricEigen(DMatrix(rows: 3, columns: 4)) }
    #expect(throws: LAPACKError.self) { try LAPACK.symmetricEigen(DMatrix(rows: 0, columns: 0)) }
  }

  #if os(Linux)
    @Test("OpenBLAS, not a reference library, does the products and decompositions")
    func library() throws {
      #expect(OpenBLAS.configuration.hasPrefix("OpenBLAS "))
      #expect(!OpenBLAS.core.isEmpty)
      for symbol in ["dgesdd_", "dsyevd_", "cblas_sgemm", "dgemm_"] {
        let address = try #require(dlsym(nil, symbol), "\(symbol) is not linked")
        let file = try #require(Self.mappedFile(of: UInt(bitPattern: address)))
        #expect(file.contains("openblas"), "\(symbol) is in \(file)")
      }
    }

    /// The file mapped at `address`, by the process's own map: lines of
    /// `begin-end permissions offset device inode path`.
    static func mappedFile(of address: UInt) -> String? {
      guard let maps = fopen("/proc/self/maps", "r") else { return nil }
      defer { fclose(maps) }
      var line = [CChar](repeating: 0, count: 8192)
      while fgets(&line, Int32(line.count), maps) != nil {
        let bytes = line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        let bounds = fields[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
        if bounds.count == 2, bounds[0] <= address, address < bounds[1], fields.count > 5 {
          return String(fields[5])
        }
      }
      return nil
    }
  #endif
}
