import CAttentionKernels
import ZooMemory

/// Rows of all heads: the vector of token t and head h starts at
/// `pointer + t * tokenStride + h * headStride`. Nothing is retained.
public struct HeadwiseView {
  /// First element of token 0, head 0.
  public let pointer: UnsafePointer<Float>
  /// Elements from one token to the next.
  public let tokenStride: Int
  /// Elements from one head to the next.
  public let headStride: Int

  /// Vectors that start at `pointer + t * tokenStride + h * headStride`.
  public init(_ pointer: UnsafePointer<Float>, tokenStride: Int, headStride: Int) {
    self.pointer = pointer
    self.tokenStride = tokenStride
    self.headStride = headStride
  }
}

/// As `HeadwiseView`, writable.
public struct MutableHeadwiseView {
  /// First element of token 0, head 0.
  public let pointer: UnsafeMutablePointer<Float>
  /// Elements from one token to the next.
  public let tokenStride: Int
  /// Elements from one head to the next.
  public let headStride: Int

  /// Vectors that start at `pointer + t * tokenStride + h * headStride`.
  public init(_ pointer: UnsafeMutablePointer<Float>, tokenStride: Int, headStride: Int) {
    self.pointer = pointer
    self.tokenStride = tokenStride
    self.headStride = headStride
  }
}

/// One small linear map a head: output[t][h] = weight[h] · input[t][h], as absorbed MLA applies to
/// queries and to attended latents.
public struct HeadwiseLinear: Sendable {
  /// [heads · outputs × inputs]: the heads' matrices, stacked.
  public let weight: WeightMatrix
  /// Number of heads.
  public let heads: Int

  /// - Parameter weight: [heads][m][n] stacked as [heads · m × n].
  public init(weight: WeightMatrix, heads: Int) {
    precondition(heads > 0 && weight.outputs % heads == 0, "heads do not divide the weight's rows")
    self.weight = weight
    self.heads = heads
  }

  /// Elements of a head's result, m.
  public var outputs: Int { weight.outputs / heads }
  /// Elements of a head's operand, n.
  public var inputs: Int { weight.inputs }

  /// The greatest number of tokens that goes to the skinny product. On operands as narrow as a
  /// head's it spends more on summing lanes than on multiplying, so that OpenBLAS wins early.
  static func skinnyTokens(inputs: Int) -> Int { inputs <= 128 ? 3 : Linear.skinnyRows }

  /// output[t][h] = weight[h] · input[t][h] for all heads and tokens 0 ..< `tokens`, accumulated in
  /// float32. Allocates nothing, and the result does not depend on the number of threads.
  /// - Parameters:
  ///   - input: n elements a head and token.
  ///   - output: m elements a head and token, apart from `input`; overwritten.
  ///   - pool: its workers share the heads; not from inside one of its jobs.
  ///   - scratch: made for at least `inputs` and the pool's threads.
  public func apply(
    input: HeadwiseView, output: MutableHeadwiseView, tokens: Int, pool: WorkerPool,
    scratch: LinearScratch
  ) {
    if tokens <= 0 { return }
    if inputs == 0 {
      // A sum of nothing: heads that keep the whole key under RoPE have no position-free part.
      for token in 0..<tokens {
        for head in 0..<heads {
          (output.pointer + token * output.tokenStride + head * output.headStride)
            .update(repeating: 0, count: outputs)
        }
      }
      return
    }
    let skinny = tokens <= Self.skinnyTokens(inputs: inputs)
    if !skinny {
      precondition(
        scratch.threads >= pool.threads && scratch.elementsPerWorker >= inputs,
        "a headwise map's scratch is too small")
      OpenBLAS.requireOneThread()
    }
    // Small heads go several to a part, which must outlast its hand-over.
    let headBytes = outputs * inputs * weight.format.bytesPerElement
    let headsPerPart =
      pool.threads == 1 ? heads : min(max(1, (32 << 10) / headBytes), (heads + 1) / 2)
    var product = HeadwiseProduct(
      weights: weight.view, heads: heads, outputs: outputs, inputs: inputs,
      headsPerPart: headsPerPart, input: input, output: output, tokens: tokens,
      skinny: skinny, scratch: Unmanaged.passUnretained(scratch))
    withExtendedLifetime((weight, scratch)) {
      withUnsafeMutablePointer(to: &product) { context in
        pool.run(
          count: (heads + headsPerPart - 1) / headsPerPart,
          context: UnsafeMutableRawPointer(context)
        ) { context, part, worker in
          context.assumingMemoryBound(to: HeadwiseProduct.self).pointee.run(part, worker: worker)
        }
      }
    }
  }
}

/// One headwise product as the pool's workers see it.
private struct HeadwiseProduct {
  let weights: WeightView
  let heads: Int
  let outputs: Int
  let inputs: Int
  let headsPerPart: Int
  let input: HeadwiseView
  let output: MutableHeadwiseView
  let tokens: Int
  let skinny: Bool
  let scratch: Unmanaged<LinearScratch>

  func run(_ part: Int, worker: Int) {
    for head in (part * headsPerPart)..<min((part + 1) * headsPerPart, heads) {
      let weight = weights.from(head * outputs)
      let from = input.pointer + head * input.headStride
      let to = output.pointer + head * output.headStride
      if skinny {
        weight.skinnyProduct(
          from, stride: input.tokenStride, rows: tokens, bias: nil, output: to,
          stride: output.tokenStride, outputs: 0..<outputs)
      } else {
        multiply(weight, from, to, worker: worker)
      }
    }
  }

  private func multiply(
    _ weight: WeightView, _ from: UnsafePointer<Float>, _ to: UnsafeMutablePointer<Float>,
    worker: Int
  ) {
    let (region, elements) = scratch._withUnsafeGuaranteedRef {
      ($0.region(of: worker), $0.elementsPerWorker)
    }
    // Up to 64 tokens, blocks of at most 1,024 results: OpenBLAS has kernels for products that
    // small which do not repack their operands.
    let room = tokens <= 64 ? max(16, 1024 / tokens) : outputs
    let block = min(room, elements / inputs, outputs)
    var first = 0
    while first < outputs {
      let count = min(block, outputs - first)
      gemm(weight.widened(first..<first + count, at: region), count, from, to + first)
      first += count
    }
  }

  private func gemm(
    _ weight: UnsafePointer<Float>, _ count: Int, _ from: UnsafePointer<Float>,
    _ to: UnsafeMutablePointer<Float>
  ) {
    BLAS.gemm(
      rows: tokens, columns: count, inner: inputs, a: from, aStride: input.tokenStride, b: weight,
      bStride: inputs, transposeB: true, c: to, cStride: output.tokenStride)
  }
}
