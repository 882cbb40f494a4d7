import CAttentionKernels
import ZooMemory

extension WeightMatrix {
  /// Blocks of `observing` for a matrix of so many elements.
  public static func blocks(outputs: Int, inputs: Int) -> Int {
    (outputs * inputs + block - 1) / block
  }

  /// Rows that are decoded at a time: some 64 Ki elements, by the shape alone.
  public static func decodedRows(inputs: Int) -> Int { max(1, (1 << 16) / inputs) }

  /// Weights that are stored in a way of their own, made from float32 rows as `decode` gives them:
  /// only a block of rows is wide at a time.
  ///
  /// - Parameter decode: writes rows `range` of the matrix, `inputs` apart, to memory that is not
  ///   initialised; called by several threads, once for every block of ``decodedRows(inputs:)`` rows.
  /// - Throws: `OutOfMemory` when the system refuses.
  public convenience init(
    outputs: Int, inputs: Int, format: WeightFormat, pool: WorkerPool? = nil,
    decodingRows decode: (_ range: Range<Int>, _ target: UnsafeMutablePointer<Float>) -> Void
  ) throws(OutOfMemory) {
    let buffer = try Self.allocate(outputs: outputs, inputs: inputs, format: format)
    let rows = Self.decodedRows(inputs: inputs)
    let staging = try AlignedBuffer(
      count: (pool?.threads ?? 1) * rows * inputs * MemoryLayout<Float>.stride)
    let scales = (buffer.base + Self.scaleOffset(outputs: outputs, inputs: inputs, format: format))
      .assumingMemoryBound(to: Float.self)
    func run(_ index: Int, worker: Int) {
      let range = (index * rows)..<min((index + 1) * rows, outputs)
      let values = staging.pointer(to: Float.self) + worker * rows * inputs
      decode(range, values)
      let target = buffer.base + range.lowerBound * inputs * format.bytesPerElement
      if format != .int8 {
        Self.store(values, target, count: range.count * inputs, format: format)
        return
      }
      for row in 0..<range.count {
        scales[range.lowerBound + row] = attn_encode_s8(
          values + row * inputs, Int64(inputs), target + row * inputs)
      }
    }
    let blocks = (outputs + rows - 1) / rows
    if let pool {
      pool.forEach(blocks) { index, worker in run(index, worker: worker) }
    } else {
      for index in 0..<blocks { run(index, worker: 0) }
    }
    self.init(outputs: outputs, inputs: inputs, format: format, buffer: buffer)
  }
}
