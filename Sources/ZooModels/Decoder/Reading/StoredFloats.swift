import ZooLinearAlgebra

/// 8-bit floats (E4M3) with a factor for each block of rows and columns, as DeepSeek-V3 stores its
/// weights (arXiv 2412.19437, section 3.3).
struct BlockScaledWeights {
  /// [outputs × inputs].
  let weights: TensorView
  /// One a block, row-major.
  let factors: [Float]
  let blockRows: Int
  let blockColumns: Int

  /// The value of every pattern.
  private static let values: [Float] = (0...255).map { FloatBits.float(e4m3: UInt8($0)) }

  /// Rows `range` in float32, one after the other.
  func decode(rows range: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    let inputs = weights.shape[1]
    let grid = (inputs + blockColumns - 1) / blockColumns
    weights.withUnsafeBytes { bytes in
      for (index, row) in range.enumerated() {
        let from = row * inputs
        let to = target + index * inputs
        for block in 0..<grid {
          let factor = factors[row / blockRows * grid + block]
          for column in (block * blockColumns)..<min((block + 1) * blockColumns, inputs) {
            to[column] = Self.values[Int(bytes[from + column])] * factor
          }
        }
      }
    }
  }
}

/// 4-bit floats (E2M1) with a power of two for each 32 of a row: MXFP4 of the OCP microscaling
/// formats, as gpt-oss stores its experts.
struct MicroscaledWeights {
  /// [… × rows × inputs/32 × 16], two values a byte, the lower bits first.
  let blocks: TensorView
  /// [… × rows × inputs/32], exponents with a bias of 127.
  let scales: TensorView
  /// Elements of a row.
  let inputs: Int

  /// Elements that share an exponent.
  static let group = 32

  private static let values: [Float] = [
    0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6,
  ]

  /// Row `row` of all rows of the tensor in float32; 255 as an exponent is NaN.
  func decode(row: Int, to target: UnsafeMutablePointer<Float>) {
    let groups = inputs / Self.group
    blocks.withUnsafeBytes { blocks in
      scales.withUnsafeBytes { scales in
        for group in 0..<groups {
          let index = row * groups + group
          let exponent = scales[index]
          let scale = Self.power(exponent)
          let bytes = index * (Self.group / 2)
          let to = target + group * Self.group
          for pair in 0..<Self.group / 2 {
            let byte = Int(blocks[bytes + pair])
            to[2 * pair] = Self.values[byte & 15] * scale
            to[2 * pair + 1] = Self.values[byte >> 4] * scale
          }
        }
      }
    }
  }

  /// 2^(exponent − 127).
  private static func power(_ exponent: UInt8) -> Float {
    switch exponent {
    case 0: Float(bitPattern: 1 << 22)
    case 255: .nan
    default: Float(bitPattern: UInt32(exponent) << 23)
    }
  }
}
