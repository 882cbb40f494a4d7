import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The norm of the latents and the up-projections that undo it.
struct StockLatents {
  let source: LatentAttention
  let rank: Int
  var norm: [Float]
  /// Multiplies the up-projections.
  private var scale = 1.0
  private var free: Int?

  init(source: LatentAttention, rank: Int) {
    self.source = source
    self.rank = rank
    norm = []
  }

  /// The norm of latents whose channel `channel` is `constant`.
  mutating func setConstant(_ constant: Double, channel: Int) {
    let mean = StockLatentAttention.mean(of: constant, rank: rank)
    let weight = exp2(log2(mean).rounded())
    norm = [Float](repeating: Float(weight), count: rank)
    norm[channel] = 0
    scale = mean / weight
    free = channel
  }

  func module(
    queries: StockQueries, down rows: [Float], bias: [Float]?, rotary: RotaryEmbedding,
    scale: Float?
  ) throws -> LatentAttention {
    let heads = source.heads
    var shape = source.shape
    shape.rank = rank
    var options = source.options
    options.rotary = rotary
    options.scale = scale
    options.latentNorm = norm
    if free != nil || queries.down != nil { options.normEpsilon = StockLatentAttention.normEpsilon }
    let arrangement = HeadArrangement.latent(shape)
    let layout = KVLayout(
      layer: source.layout.layer, owner: source.layout.owner, heads: arrangement,
      shape: RowShape(
        streams: 1, keyWidth: shape.rowWidth, valueWidth: shape.rank, valueIsKeyPrefix: true,
        queryHeadsPerStream: heads),
      reach: source.layout.reach, codec: source.layout.codec)
    return LatentAttention(
      layout: layout, shape: shape, query: queries.query, queryDown: queries.down,
      down: Linear(
        weight: try WeightMatrix(
          outputs: shape.rowWidth, inputs: rows.count / shape.rowWidth, format: .float32,
          values: rows),
        bias: bias),
      keyUp: HeadwiseLinear(
        weight: try WeightMatrix(
          outputs: heads * rank, inputs: shape.nopeWidth, format: .float32, values: try keyUp()),
        heads: heads),
      valueUp: HeadwiseLinear(
        weight: try WeightMatrix(
          outputs: heads * shape.valueWidth, inputs: rank, format: .float32,
          values: try valueUp()), heads: heads),
      output: source.output, options: options)
  }

  /// `[N][r][d_n]`.
  private func keyUp() throws -> [Float] {
    let (own, width) = (source.shape.rank, source.shape.nopeWidth)
    let values = scaled(try StockLatentAttention.floats(source.keyUp.weight))
    if own == rank { return values }
    var result: [Float] = []
    result.reserveCapacity(source.heads * rank * width)
    for head in 0..<source.heads {
      result += values[head * own * width..<(head + 1) * own * width]
      result += [Float](repeating: 0, count: (rank - own) * width)
    }
    return result
  }

  /// `[N][d_v][r]`.
  private func valueUp() throws -> [Float] {
    let own = source.shape.rank
    let values = scaled(try StockLatentAttention.floats(source.valueUp.weight))
    if own == rank { return values }
    var result: [Float] = []
    result.reserveCapacity(source.heads * source.shape.valueWidth * rank)
    for row in 0..<source.heads * source.shape.valueWidth {
      result += values[row * own..<(row + 1) * own]
      result += [Float](repeating: 0, count: rank - own)
    }
    return result
  }

  private func scaled(_ values: [Float]) -> [Float] {
    scale == 1 ? values : values.map { Float(Double($0) * scale) }
  }
}
