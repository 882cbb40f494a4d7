import CAttentionKernels
import ZooMemory

/// A linear map with fixed weights: output[r] = weight · input[r] (+ bias).
///
/// Up to `skinnyRows` rows, as in decode, each weight is read from memory once, by the skinny
/// products of the C kernels: over the rows as they lie, or packed once for all workers where that
/// is faster. More rows, as in prefill, are large products by OpenBLAS, over blocks of outputs that
/// are widened to float32 first where the weights are narrower. Either way the pool's workers share
/// the outputs, so OpenBLAS runs with one thread: `apply` sets it so.
public struct Linear: Sendable {
  /// [outputs × inputs].
  public let weight: WeightMatrix
  /// One a output, or nil.
  public let bias: [Float]?

  /// The greatest number of rows that goes to the skinny product.
  public static let skinnyRows = 32

  /// The least number of rows that are packed for the skinny product: where it was measured to be
  /// faster than in place (Documentation/Kernels.md).
  private var packedRows: Int { Int(attn_skinny_least_packed_rows(weight.format.elementCode)) }

  /// - Parameter bias: `weight.outputs` elements, or nil.
  public init(weight: WeightMatrix, bias: [Float]? = nil) {
    precondition(bias == nil || bias?.count == weight.outputs, "one bias element an output")
    self.weight = weight
    self.bias = bias
  }

  /// Elements of a result row.
  public var outputs: Int { weight.outputs }
  /// Elements of an operand row.
  public var inputs: Int { weight.inputs }

  /// output[r][o] = Σᵢ weight[o][i] · input[r][i] (+ bias[o]), accumulated in float32.
  ///
  /// Allocates nothing, and the result does not depend on the number of threads.
  /// - Parameters:
  ///   - input: [rows × inputs].
  ///   - output: [rows × outputs], apart from `input`; overwritten.
  ///   - pool: its workers share the outputs; not from inside one of its jobs.
  ///   - scratch: made for at least `inputs` and the pool's threads.
  public func apply(
    input: MatrixView, output: MutableMatrixView, pool: WorkerPool, scratch: LinearScratch
  ) {
    precondition(
      input.columns == inputs && output.columns == outputs && input.rows == output.rows,
      "a linear map's operands do not fit its weights")
    if input.rows == 0 { return }
    if let bias {
      bias.withUnsafeBufferPointer { values in
        apply(input, output, bias: values.baseAddress, pool: pool, scratch: scratch)
      }
    } else {
      apply(input, output, bias: nil, pool: pool, scratch: scratch)
    }
  }

  private func apply(
    _ input: MatrixView, _ output: MutableMatrixView, bias: UnsafePointer<Float>?,
    pool: WorkerPool, scratch: LinearScratch
  ) {
    let skinny = input.rows <= Self.skinnyRows
    let block =
      skinny ? skinnyBlock(threads: pool.threads) : wideBlock(threads: pool.threads, scratch)
    let packed = skinny && input.rows >= packedRows ? pack(input, in: scratch) : nil
    var product = Product(
      weights: weight.view, input: input, packed: packed, output: output, bias: bias,
      block: block, scratch: Unmanaged.passUnretained(scratch))
    if !skinny { OpenBLAS.requireOneThread() }
    withExtendedLifetime((weight, scratch)) {
      withUnsafeMutablePointer(to: &product) { context in
        pool.run(
          count: (outputs + block - 1) / block, context: UnsafeMutableRawPointer(context),
          body: skinny ? Product.skinnyPart : Product.widePart)
      }
    }
  }

  /// The rows as the skinny product reads them, in the scratch's first region, which it does not need
  /// for anything else.
  private func pack(_ input: MatrixView, in scratch: LinearScratch) -> UnsafePointer<Float> {
    let rows = Int32(input.rows)
    let element = weight.format.elementCode
    precondition(
      attn_skinny_packed_floats(element, rows, Int64(inputs)) <= scratch.elementsPerWorker,
      "a linear map's scratch is too small")
    let target = scratch.region(of: 0)
    attn_skinny_pack(
      element, input.pointer, Int64(input.stride), rows, Int64(inputs), target)
    return UnsafePointer(target)
  }

  /// Outputs a part of the skinny product: at least 32 KiB of weights, since a part must outlast
  /// its hand-over, and about four parts a worker, so that none waits long for another. Whole blocks
  /// of every build's kernels.
  private func skinnyBlock(threads: Int) -> Int {
    if threads == 1 { return outputs }
    let rowBytes = inputs * weight.format.bytesPerElement
    let block = max(outputs / (4 * threads), (32 << 10) / rowBytes, 1)
    return (block + 95) / 96 * 96
  }

  /// Outputs a part of the large product: by shape alone, so that the result does not depend on
  /// the number of threads. Small parts share out better, large ones pay for packing the operand
  /// again with each.
  private func wideBlock(threads: Int, _ scratch: LinearScratch) -> Int {
    let block = min(max((outputs / 16 + 15) / 16 * 16, 64), 512)
    if weight.format == .float32 { return block }
    precondition(
      scratch.threads >= threads && scratch.elementsPerWorker >= inputs,
      "a linear map's scratch is too small")
    return min(block, scratch.elementsPerWorker / inputs)
  }
}

/// One product as the pool's workers see it. Views and pointers outlive the job.
private struct Product {
  let weights: WeightView
  let input: MatrixView
  /// The rows of `input` packed for the skinny product, or nil: as they lie.
  let packed: UnsafePointer<Float>?
  let output: MutableMatrixView
  let bias: UnsafePointer<Float>?
  /// Outputs a part.
  let block: Int
  let scratch: Unmanaged<LinearScratch>

  func outputs(of part: Int) -> Range<Int> {
    (part * block)..<min((part + 1) * block, output.columns)
  }

  static let skinnyPart: WorkerPool.Body = { context, part, _ in
    let product = context.assumingMemoryBound(to: Product.self)
    let outputs = product.pointee.outputs(of: part)
    let (input, output) = (product.pointee.input, product.pointee.output)
    if let packed = product.pointee.packed {
      product.pointee.weights.skinnyProduct(
        packed: packed, rows: input.rows, bias: product.pointee.bias, output: output.pointer,
        stride: output.stride, outputs: outputs)
      return
    }
    product.pointee.weights.skinnyProduct(
      input.pointer, stride: input.stride, rows: input.rows, bias: product.pointee.bias,
      output: output.pointer, stride: output.stride, outputs: outputs)
  }

  static let widePart: WorkerPool.Body = { context, part, worker in
    let product = context.assumingMemoryBound(to: Product.self)
    product.pointee.multiply(product.pointee.outputs(of: part), worker: worker)
  }

  private func multiply(_ outputs: Range<Int>, worker: Int) {
    let inputs = input.columns
    let widened = weights.widened(
      outputs, at: scratch._withUnsafeGuaranteedRef { $0.region(of: worker) })
    if let bias {
      for row in 0..<output.rows {
        (output.row(row) + outputs.lowerBound).update(
          from: bias + outputs.lowerBound, count: outputs.count)
      }
    }
    BLAS.gemm(
      rows: input.rows, columns: outputs.count, inner: inputs, a: input.pointer,
      aStride: input.stride, b: widened, bStride: inputs, transposeB: true,
      beta: bias == nil ? 0 : 1, c: output.pointer + outputs.lowerBound, cStride: output.stride)
  }
}
