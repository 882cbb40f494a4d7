import CAttentionKernels
import ZooMemory

/// The rows of a weight as the products read them; the weight must outlive it.
struct WeightView {
  let base: UnsafeRawPointer
  /// One a row, for formats with a scale a row.
  let scales: UnsafePointer<Float>?
  let format: WeightFormat
  let inputs: Int

  /// First byte of row `output`.
  func row(_ output: Int) -> UnsafeRawPointer {
    base + output * inputs * format.bytesPerElement
  }

  /// Rows from `output` on.
  func from(_ output: Int) -> WeightView {
    WeightView(
      base: row(output), scales: scales.map { $0 + output }, format: format, inputs: inputs)
  }

  /// Rows `range` in float32, `inputs` apart: where they lie, or widened at `target`.
  func widened(
    _ range: Range<Int>, at target: UnsafeMutablePointer<Float>
  ) -> UnsafePointer<Float> {
    if format == .float32 { return row(range.lowerBound).assumingMemoryBound(to: Float.self) }
    widen(range, to: target)
    return UnsafePointer(target)
  }

  /// Copies rows `range` to `target` in float32, `inputs` apart.
  func widen(_ range: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    guard let scales else {
      attn_decode_row(
        format.elementCode, row(range.lowerBound), Int64(range.count * inputs), target)
      return
    }
    for output in range {
      attn_decode_s8(
        row(output), scales[output], Int64(inputs), target + (output - range.lowerBound) * inputs)
    }
  }

  /// out[r][o] = Σᵢ weight[o][i] · in[r][i] (+ bias[o]) for the outputs of `range` and few rows.
  func skinnyProduct(
    _ input: UnsafePointer<Float>, stride inputStride: Int, rows: Int,
    bias: UnsafePointer<Float>?, output: UnsafeMutablePointer<Float>, stride outputStride: Int,
    outputs range: Range<Int>
  ) {
    attn_skinny_product(
      base, format.elementCode, Int64(inputs), scales, input, Int64(inputStride), Int32(rows),
      Int64(inputs), bias, output, Int64(outputStride), Int64(range.lowerBound),
      Int64(range.upperBound))
  }

  /// The same over rows that `attn_skinny_pack` has packed.
  func skinnyProduct(
    packed: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?,
    output: UnsafeMutablePointer<Float>, stride outputStride: Int, outputs range: Range<Int>
  ) {
    attn_skinny_product_packed(
      base, format.elementCode, Int64(inputs), scales, packed, Int32(rows), Int64(inputs), bias,
      output, Int64(outputStride), Int64(range.lowerBound), Int64(range.upperBound))
  }
}
