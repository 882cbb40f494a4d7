import Testing
import ZooLinearAlgebra

@Suite struct BLASTests {
  @Test(
    "gemm honours transposition, strides, alpha and beta", arguments: [false, true], [false, true])
  func gemm(transposeA: Bool, transposeB: Bool) {
    let (m, n, k) = (7, 5, 11)
    let (aStride, bStride, cStride) = (13, 14, 9)
    let a = randomValues(13 * aStride, seed: 41)
    let b = randomValues(13 * bStride, seed: 42)
    let start = randomValues(m * cStride, seed: 43)
    var single = start
    var double = start.map(Double.init)
    BLAS.gemm(
      rows: m, columns: n, inner: k, alpha: 2, a: a, aStride: aStride, transposeA: transposeA, b: b,
      bStride: bStride, transposeB: transposeB, beta: 0.5, c: &single, cStride: cStride)
    BLAS.gemm(
      rows: m, columns: n, inner: k, alpha: 2, a: a.map(Double.init), aStride: aStride,
      transposeA: transposeA, b: b.map(Double.init), bStride: bStride, transposeB: transposeB,
      beta: 0.5, c: &double, cStride: cStride)
    for row in 0..<m {
      for column in 0..<cStride {
        let index = row * cStride + column
        var expected = Double(start[index])
        if column < n {
          expected *= 0.5
          for inner in 0..<k {
            let x = transposeA ? a[inner * aStride + row] : a[row * aStride + inner]
            let y = transposeB ? b[column * bStride + inner] : b[inner * bStride + column]
            expected += 2 * Double(x) * Double(y)
          }
        }
        #expect(abs(double[index] - expected) < 1e-12)
        #expect(abs(Double(single[index]) - expected) < 1e-4)
      }
    }
  }

  @Test("Views address rows and columns of the matrix they were cut from")
  func views() throws {
    let matrix = try Matrix(rows: 6, columns: 10)
    for row in 0..<6 { for column in 0..<10 { matrix[row, column] = Float(10 * row + column) } }
    let cut = matrix.view.rows(2..<5).columns(3..<7)
    #expect(cut.rows == 3 && cut.columns == 4 && cut.stride == 10)
    #expect(cut.row(1)[2] == 35)
    matrix.mutableView.columns(9..<10).rows(5..<6).row(0)[0] = -1
    #expect(matrix[5, 9] == -1)
    #expect(DMatrix(cut).transposed[2, 1] == 35)
  }

  @Test("float64 matrices round to float32 rows and back")
  func conversion() throws {
    let matrix = try Matrix(rows: 2, columns: 3)
    DMatrix(rows: 2, columns: 3, values: [1, 2, 3, 4, 5, 0.1]).store(to: matrix.mutableView)
    #expect(matrix[1, 2] == 0.1)
    #expect(DMatrix(matrix.view).values[5] == Double(Float(0.1)))
  }
}
