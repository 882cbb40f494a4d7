import AttentionZoo
import ZooLinearAlgebra

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Queries in the stock form: what the layer's own scale differs from the stock one by goes into them,
/// and the rotated part of each head into the configuration's order.
///
/// The stock layer has no place for a bias of the queries, but for one of their low-rank projection's
/// first half. With D + 1 as that rank the first half passes the hidden state x on beside a constant:
/// [x | C]. The norm between the halves is then a constant factor (see ``StockLatentAttention``), and
/// the second half is [W | b·√(D + 1)⁻¹], undone by that factor. It is exact and takes D(D + 1)
/// weights a layer.
struct StockQueries {
  let query: Linear
  let down: LatentAttention.QueryDown?

  /// - Parameters:
  ///   - order: which pair of the source stands at each place.
  ///   - stretch: what the configuration multiplies the stock scale by.
  ///   - queryRank: the rank of the queries to be written; nil: projected at once.
  init(
    _ source: LatentAttention, order: [Int], stretch: Double, queryRank: Int?, inputGain: [Float],
    place: StockLatentAttention.Place
  ) throws {
    let shape = source.shape
    let columns = source.query.inputs
    var values = try StockLatentAttention.floats(source.query.weight)
    var bias = source.query.bias ?? [Float](repeating: 0, count: source.query.outputs)
    let hasBias = bias.contains { $0 != 0 }
    if let scale = source.options.scale {
      let factor = Double(scale) * Double(shape.headWidth).squareRoot() / stretch
      // A scale that was the stock one changes nothing, not even the last bit.
      if abs(factor - 1) > 1e-6 {
        for index in values.indices { values[index] = Float(Double(values[index]) * factor) }
        for index in bias.indices { bias[index] = Float(Double(bias[index]) * factor) }
      }
    }
    for head in 0..<source.heads {
      let first = head * shape.headWidth + shape.nopeWidth
      StockLatentAttention.arrange(
        &values, pairs: order, first: first, from: source, columns: columns)
      StockLatentAttention.arrange(&bias, pairs: order, first: first, from: source, columns: 1)
    }
    if queryRank == source.queryDown?.linear.outputs {
      guard !hasBias else {
        throw place.unsupported(
          "a bias of the queries",
          expected: "none, or a query rank of \(columns + 1): q_proj has no place for it")
      }
      query = try Self.linear(values, outputs: source.query.outputs, inputs: columns)
      down = source.queryDown
      return
    }
    guard source.queryDown == nil, queryRank == columns + 1 else {
      throw place.unsupported(
        "queries of rank \(source.queryDown?.linear.outputs ?? columns)",
        expected: "that of the configuration")
    }
    (query, down) = try Self.throughConstant(
      values, bias, columns: columns, largestGain: inputGain.reduce(0) { max($0, abs($1)) })
  }

  /// W·x + b as two halves with a norm between them.
  private static func throughConstant(
    _ values: [Float], _ bias: [Float], columns: Int, largestGain: Float
  ) throws -> (Linear, LatentAttention.QueryDown) {
    let rank = columns + 1
    let bound = Double(largestGain) * Double(columns).squareRoot()
    let constant = StockLatentAttention.constant(above: bound)
    let mean = StockLatentAttention.mean(of: constant, rank: rank)
    let weight = exp2(log2(mean).rounded())
    var identity = [Float](repeating: 0, count: rank * columns)
    for index in 0..<columns { identity[index * columns + index] = 1 }
    let shift = [Float](repeating: 0, count: columns) + [Float(constant)]
    let norm = [Float](repeating: Float(weight), count: columns) + [1]
    var up: [Float] = []
    up.reserveCapacity(bias.count * rank)
    for row in bias.indices {
      for column in 0..<columns {
        up.append(Float(Double(values[row * columns + column]) * mean / weight))
      }
      up.append(Float(Double(bias[row]) * mean / constant))
    }
    return (
      try linear(up, outputs: bias.count, inputs: rank),
      LatentAttention.QueryDown(
        linear: try linear(identity, outputs: rank, inputs: columns, bias: shift), norm: norm)
    )
  }

  private static func linear(
    _ values: [Float], outputs: Int, inputs: Int, bias: [Float]? = nil
  ) throws -> Linear {
    Linear(
      weight: try WeightMatrix(
        outputs: outputs, inputs: inputs, format: .float32, values: values), bias: bias)
  }
}
