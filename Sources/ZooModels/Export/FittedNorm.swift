import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A norm for latents that are not normalised, for engines that always normalise them and have no
/// place for the bias of a constant channel (vLLM, SGLang, llama.cpp).
///
/// With a constant weight w the norm replaces a latent c by w·c/rms(c). Over tokens the squared error
/// Σ‖c − w·c/rms(c)‖² is least for w = mean rms(c), since ‖c/rms(c)‖² = r whatever the token: that
/// mean is what is fitted. What remains is the spread of rms(c) about its mean, and it is lossy:
/// measure it before use.
public struct FittedNorm: Sendable, Hashable {
  /// Tokens that were looked at.
  public private(set) var tokens = 0
  private var sum = 0.0
  private var squares = 0.0

  public init() {}

  /// Mean of rms(c) over the tokens.
  public var mean: Double { tokens > 0 ? sum / Double(tokens) : 0 }

  /// Standard deviation of rms(c) over its mean: what the norm gets wrong, relative.
  public var spread: Double {
    guard tokens > 0, mean > 0 else { return 0 }
    return max(0, squares / Double(tokens) - mean * mean).squareRoot() / mean
  }

  /// Looks at the latents of `inputs`, normalised hidden states [T × D] as the layer's attention
  /// reads them.
  /// - Precondition: the layer owns rows.
  /// - Throws: `OutOfMemory`.
  public mutating func look(
    at module: LatentAttention, inputs: MatrixView, pool: WorkerPool
  ) throws(OutOfMemory) {
    guard let down = module.down else { preconditionFailure("a layer with rows of its own") }
    let scratch = try LinearScratch(maximumInputs: down.inputs, threads: pool.threads)
    let rows = try Matrix(rows: inputs.rows, columns: down.outputs)
    down.apply(input: inputs, output: rows.mutableView, pool: pool, scratch: scratch)
    for row in 0..<inputs.rows {
      let latent = rows.pointer + row * down.outputs
      var square = 0.0
      for channel in 0..<module.shape.rank {
        square += Double(latent[channel]) * Double(latent[channel])
      }
      let mean = square / Double(module.shape.rank)
      sum += mean.squareRoot()
      squares += mean
    }
    withExtendedLifetime(rows) {}
    tokens += inputs.rows
  }

  /// `module` with this norm. Its weight is a power of two, and what the mean differs from that by goes
  /// into the up-projections, so that a narrow element type does not round it.
  /// - Throws: `OutOfMemory`.
  public func applied(to module: LatentAttention) throws(OutOfMemory) -> LatentAttention {
    precondition(module.options.latentNorm == nil, "the latents are normalised already")
    let weight = exp2(log2(max(mean, 1e-30)).rounded())
    func scaled(_ map: HeadwiseLinear) throws(OutOfMemory) -> HeadwiseLinear {
      let matrix = map.weight
      let values = try Matrix(rows: matrix.outputs, columns: matrix.inputs)
      matrix.decodeRows(0..<matrix.outputs, to: values.pointer)
      for index in 0..<matrix.outputs * matrix.inputs {
        values.pointer[index] = Float(Double(values.pointer[index]) * mean / weight)
      }
      return HeadwiseLinear(
        weight: try WeightMatrix(
          outputs: matrix.outputs, inputs: matrix.inputs, format: .float32,
          values: values.pointer), heads: map.heads)
    }
    var options = module.options
    options.latentNorm = [Float](repeating: Float(weight), count: module.shape.rank)
    options.normEpsilon = StockLatentAttention.normEpsilon
    return LatentAttention(
      layout: module.layout, shape: module.shape, query: module.query, down: module.down,
      keyUp: try scaled(module.keyUp), valueUp: try scaled(module.valueUp),
      output: module.output, options: options)
  }
}
