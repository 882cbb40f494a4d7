import CAttentionKernels
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How a weight's elements are stored. Products accumulate in float32 whatever the format.
public enum WeightFormat: String, Sendable, CaseIterable, CustomStringConvertible {
  /// IEEE binary32.
  case float32 = "f32"
  /// IEEE binary16.
  case float16 = "f16"
  /// The upper half of binary32.
  case bfloat16 = "bf16"
  /// 8-bit integers, symmetric, with a float32 scale a row.
  case int8 = "int8"

  /// The name as suites and rows write it: `f32`, `f16`, `bf16`, `int8`.
  public var description: String { rawValue }

  /// Bytes an element takes, a row's scale left out.
  public var bytesPerElement: Int {
    switch self {
    case .float32: 4
    case .float16, .bfloat16: 2
    case .int8: 1
    }
  }

  /// The 16-bit format, nil for others.
  public var half: HalfFormat? {
    switch self {
    case .float32, .int8: nil
    case .float16: .float16
    case .bfloat16: .bfloat16
    }
  }

  /// The format's code in the C kernels (`attn_element`).
  public var elementCode: Int32 {
    switch self {
    case .float32: Int32(ATTN_ELEMENT_F32.rawValue)
    case .float16: Int32(ATTN_ELEMENT_F16.rawValue)
    case .bfloat16: Int32(ATTN_ELEMENT_BF16.rawValue)
    case .int8: Int32(ATTN_ELEMENT_S8.rawValue)
    }
  }
}

/// The weights of a linear map, [outputs × inputs], row-major without gaps, in one format; behind them
/// a scale a row where the format has them.
///
/// The memory is anonymous and private, so that it counts towards `RLIMIT_DATA`. Immutable once
/// made.
public final class WeightMatrix: Sendable {
  /// Rows: elements of the result.
  public let outputs: Int
  /// Columns: elements of the operand.
  public let inputs: Int
  /// How the elements are stored.
  public let format: WeightFormat
  private let buffer: AlignedBuffer

  init(
    outputs: Int, inputs: Int, format: WeightFormat, buffer: AlignedBuffer
  ) {
    self.outputs = outputs
    self.inputs = inputs
    self.format = format
    self.buffer = buffer
  }

  static func allocate(
    outputs: Int, inputs: Int, format: WeightFormat
  ) throws(OutOfMemory) -> AlignedBuffer {
    precondition(outputs >= 0 && inputs >= 0, "a weight matrix has no negative side")
    return try AlignedBuffer(
      count: scaleOffset(outputs: outputs, inputs: inputs, format: format)
        + (format == .int8 ? outputs * MemoryLayout<Float>.stride : 0))
  }

  /// Where the scales lie: behind the elements, on a cache line.
  static func scaleOffset(outputs: Int, inputs: Int, format: WeightFormat) -> Int {
    let bytes = outputs * inputs * format.bytesPerElement
    return format == .int8 ? (bytes + 63) / 64 * 64 : bytes
  }

  /// Weights converted from `values`, `outputs * inputs` float32 elements in row-major order.
  /// Rounding is to nearest even.
  /// - Throws: `OutOfMemory` when the system refuses.
  public convenience init(
    outputs: Int, inputs: Int, format: WeightFormat, values: UnsafePointer<Float>,
    pool: WorkerPool? = nil
  ) throws(OutOfMemory) {
    try self.init(
      outputs: outputs, inputs: inputs, format: format, copying: UnsafeRawPointer(values),
      storedAs: .float32, pool: pool)
  }

  /// Weights from 16-bit patterns of `format` (float16 or bfloat16), `outputs * inputs` of them in
  /// row-major order, kept as they are.
  /// - Throws: `OutOfMemory` when the system refuses.
  public convenience init(
    outputs: Int, inputs: Int, format: WeightFormat, patterns: UnsafePointer<UInt16>
  ) throws(OutOfMemory) {
    precondition(format.half != nil, "only 16-bit formats have 16-bit patterns")
    try self.init(
      outputs: outputs, inputs: inputs, format: format, copying: UnsafeRawPointer(patterns),
      storedAs: format)
  }

  /// Weights copied from `source`, `outputs * inputs` elements of format `stored` in row-major
  /// order and of any alignment; converted where `format` differs. `stored` is a float format.
  /// - Parameter observing: called for blocks of elements that together are all of them, with their
  ///   number and their bytes at `source`, just before they are copied, so that a file is read once;
  ///   by several threads. The blocks depend on the shape alone.
  /// - Throws: `OutOfMemory` when the system refuses.
  public convenience init(
    outputs: Int, inputs: Int, format: WeightFormat, copying source: UnsafeRawPointer,
    storedAs stored: WeightFormat, pool: WorkerPool? = nil,
    observing: ((_ block: Int, _ elements: Range<Int>, _ bytes: UnsafeRawBufferPointer) -> Void)? =
      nil
  ) throws(OutOfMemory) {
    precondition(stored != .int8, "weights are copied from floats")
    func observe(_ block: Int, _ range: Range<Int>) {
      let width = stored.bytesPerElement
      observing?(
        block, range,
        UnsafeRawBufferPointer(
          start: source + range.lowerBound * width, count: range.count * width))
    }
    if format == .int8 {
      if observing != nil {
        Self.forEachBlock(of: outputs * inputs, pool: pool) { block, range, _ in
          observe(block, range)
        }
      }
      try self.init(
        quantising: source, outputs: outputs, inputs: inputs, storedAs: stored, pool: pool)
      return
    }
    let buffer = try Self.allocate(outputs: outputs, inputs: inputs, format: format)
    let target = buffer.base
    Self.forEachBlock(of: outputs * inputs, pool: pool) { block, range, staging in
      observe(block, range)
      let from = source + range.lowerBound * stored.bytesPerElement
      let to = target + range.lowerBound * format.bytesPerElement
      if stored == format {
        memcpy(to, from, range.count * format.bytesPerElement)
        return
      }
      // By way of float32 in `staging`, in pieces that also bring the source into alignment.
      let half = UnsafeMutableRawPointer(staging + Self.piece)
        .assumingMemoryBound(to: UInt16.self)
      var done = 0
      while done < range.count {
        let count = min(Self.piece, range.count - done)
        let bytes = from + done * stored.bytesPerElement
        if let source = stored.half {
          memcpy(half, bytes, count * 2)
          source.decode(half, to: staging, count: count)
        } else {
          memcpy(staging, bytes, count * 4)
        }
        Self.store(staging, to + done * format.bytesPerElement, count: count, format: format)
        done += count
      }
    }
    self.init(outputs: outputs, inputs: inputs, format: format, buffer: buffer)
  }

  /// 8-bit weights of float ones: every row by its own largest magnitude.
  private convenience init(
    quantising source: UnsafeRawPointer, outputs: Int, inputs: Int, storedAs stored: WeightFormat,
    pool: WorkerPool?
  ) throws(OutOfMemory) {
    let buffer = try Self.allocate(outputs: outputs, inputs: inputs, format: .int8)
    let staging = try AlignedBuffer(count: (pool?.threads ?? 1) * 2 * inputs * 4)
    let scales = (buffer.base + Self.scaleOffset(outputs: outputs, inputs: inputs, format: .int8))
      .assumingMemoryBound(to: Float.self)
    func quantise(_ output: Int, worker: Int) {
      let row = staging.pointer(to: Float.self) + worker * 2 * inputs
      let from = source + output * inputs * stored.bytesPerElement
      if stored == .float32 {
        memcpy(row, from, inputs * 4)
      } else {
        // By way of aligned memory: the source may lie anywhere.
        memcpy(row + inputs, from, inputs * 2)
        attn_decode_row(stored.elementCode, row + inputs, Int64(inputs), row)
      }
      scales[output] = attn_encode_s8(row, Int64(inputs), buffer.base + output * inputs)
    }
    if let pool {
      pool.forEach(outputs) { output, worker in quantise(output, worker: worker) }
    } else {
      for output in 0..<outputs { quantise(output, worker: 0) }
    }
    self.init(outputs: outputs, inputs: inputs, format: .int8, buffer: buffer)
  }

  /// Random weights, uniform with standard deviation `deviation` and mean 0. The values depend on
  /// `seed`, `stream` (one a tensor) and the shape, not on the pool.
  /// - Throws: `OutOfMemory` when the system refuses.
  public convenience init(
    outputs: Int, inputs: Int, format: WeightFormat, seed: UInt64, stream: UInt64 = 0,
    deviation: Float, pool: WorkerPool? = nil
  ) throws(OutOfMemory) {
    let buffer = try Self.allocate(outputs: outputs, inputs: inputs, format: format)
    let target = buffer.base
    // A uniform value's largest magnitude is √3 deviations: one scale serves all rows.
    let scale = deviation * Float(3).squareRoot() / 127
    if format == .int8 {
      (target + Self.scaleOffset(outputs: outputs, inputs: inputs, format: format))
        .assumingMemoryBound(to: Float.self).update(repeating: scale, count: outputs)
    }
    Self.forEachBlock(of: outputs * inputs, pool: pool) { block, range, staging in
      var generator = SeededGenerator(seed: seed, stream: (stream &<< 32) | UInt64(block))
      let to = target + range.lowerBound * format.bytesPerElement
      var done = 0
      while done < range.count {
        let count = min(Self.piece, range.count - done)
        generator.fill(staging, count: count, deviation: deviation)
        if format == .int8 {
          attn_encode_s8_with(staging, Int64(count), scale, to + done)
        } else {
          Self.store(staging, to + done * format.bytesPerElement, count: count, format: format)
        }
        done += count
      }
    }
    self.init(outputs: outputs, inputs: inputs, format: format, buffer: buffer)
  }

  /// The same weights as `blocks` stacked matrices [blocks][m][n], each transposed to
  /// [blocks][n][m]: the result has `blocks * n` outputs and m inputs. Absorbed MLA reads the key
  /// up-projection of each head this way round.
  /// - Throws: `OutOfMemory` when the system refuses.
  public func transposingBlocks(_ blocks: Int) throws(OutOfMemory) -> WeightMatrix {
    precondition(blocks > 0 && outputs % blocks == 0, "outputs do not divide into blocks")
    let (rows, columns) = (outputs / blocks, inputs)
    if format == .int8 { return try quantisingTransposed(blocks) }
    let result = try Self.allocate(outputs: blocks * columns, inputs: rows, format: format)
    func transpose<Element>(_ type: Element.Type) {
      let from = UnsafePointer(buffer.pointer(to: type))
      let to = result.pointer(to: type)
      for block in 0..<blocks {
        let offset = block * rows * columns
        for row in 0..<rows {
          for column in 0..<columns {
            to[offset + column * rows + row] = from[offset + row * columns + column]
          }
        }
      }
    }
    if format == .float32 { transpose(Float.self) } else { transpose(UInt16.self) }
    return WeightMatrix(
      outputs: blocks * columns, inputs: rows, format: format, buffer: result)
  }

  /// 8-bit weights have a scale a row, which a transposition spreads over all rows of a block, so that
  /// they are quantised anew.
  private func quantisingTransposed(_ blocks: Int) throws(OutOfMemory) -> WeightMatrix {
    let (rows, columns) = (outputs / blocks, inputs)
    let floats = try AlignedBuffer(count: 2 * outputs * inputs * MemoryLayout<Float>.stride)
    let from = floats.pointer(to: Float.self)
    let to = from + outputs * inputs
    decodeRows(0..<outputs, to: from)
    for block in 0..<blocks {
      let offset = block * rows * columns
      for row in 0..<rows {
        for column in 0..<columns {
          to[offset + column * rows + row] = from[offset + row * columns + column]
        }
      }
    }
    return try WeightMatrix(
      outputs: blocks * columns, inputs: rows, format: .int8, values: UnsafePointer(to))
  }

  /// The rows as products read them.
  var view: WeightView {
    let offset = Self.scaleOffset(outputs: outputs, inputs: inputs, format: format)
    return WeightView(
      base: base,
      scales: format == .int8 ? (base + offset).assumingMemoryBound(to: Float.self) : nil,
      format: format, inputs: inputs)
  }

  /// First byte of row 0.
  public var base: UnsafeRawPointer { UnsafeRawPointer(buffer.base) }

  /// First byte of row `output`.
  public func row(_ output: Int) -> UnsafeRawPointer {
    base + output * inputs * format.bytesPerElement
  }

  /// Bytes of the elements, outputs × inputs × bytes an element, and of the scales.
  public var byteCount: Int { buffer.count }

  /// Bytes mapped: `byteCount` rounded up to whole pages.
  public var mappedBytes: Int { buffer.mappedBytes }

  /// Widens rows `range` to float32, `inputs` apart, at `target`.
  public func decodeRows(_ range: Range<Int>, to target: UnsafeMutablePointer<Float>) {
    precondition(range.lowerBound >= 0 && range.upperBound <= outputs)
    view.widen(range, to: target)
  }

  /// Where the first element in row-major order lies that is NaN or infinite, nil when all are
  /// finite; of 8-bit weights, which such an element spoils a row of, the first of that row.
  public func firstNonFinite() -> (output: Int, input: Int)? {
    let count = outputs * inputs
    func find<Element: FixedWidthInteger>(_ mask: Element) -> Int? {
      let values = buffer.pointer(to: Element.self)
      return (0..<count).first { values[$0] & mask == mask }
    }
    let index =
      switch format {
      case .float32: find(UInt32(0x7F80_0000))
      case .float16: find(UInt16(0x7C00))
      case .bfloat16: find(UInt16(0x7F80))
      // A row with such an element has no finite scale.
      case .int8:
        (0..<outputs).first { output in view.scales.map { !$0[output].isFinite } ?? false }
          .map { $0 * inputs }
      }
    return index.map { ($0 / inputs, $0 % inputs) }
  }

  // MARK: - Filling

  /// Elements a random stream fills: the unit of work, the same whatever the number of threads.
  static let block = 1 << 18
  /// Elements staged as float32 at a time; even, since the generator makes two a word.
  private static let piece = 4096

  static func store(
    _ values: UnsafePointer<Float>, _ target: UnsafeMutableRawPointer, count: Int,
    format: WeightFormat
  ) {
    if let half = format.half {
      half.encode(values, to: target.assumingMemoryBound(to: UInt16.self), count: count)
    } else {
      memcpy(target, values, count * 4)
    }
  }

  /// Runs `body(block, elements, staging)` for every block; `staging` holds 2 × `piece` floats.
  private static func forEachBlock(
    of count: Int, pool: WorkerPool?,
    _ body: (Int, Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) {
    func run(_ index: Int) {
      let range = (index * block)..<min((index + 1) * block, count)
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * piece) { staging in
        guard let staging = staging.baseAddress else { return }
        body(index, range, staging)
      }
    }
    let blocks = (count + block - 1) / block
    if let pool {
      pool.forEach(blocks) { index, _ in run(index) }
    } else {
      for index in 0..<blocks { run(index) }
    }
  }
}
