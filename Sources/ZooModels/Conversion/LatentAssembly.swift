import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension LatentBasis {
  /// Latent attention of `source`'s queries and output over these rows.
  /// - Parameters:
  ///   - source: the layer itself; where rows are shared another one than that of the rows.
  ///   - layout: the layer's, with this basis's rank.
  ///   - pool: shares out the assembly of the queries.
  /// - Throws: `OutOfMemory`.
  func module(
    _ source: MultiHeadAttention, layout: KVLayout, shape: LatentShape, pool: WorkerPool? = nil
  ) throws(OutOfMemory) -> LatentAttention {
    let format = source.query.weight.format
    let queryHeads = source.layout.shape.streams * source.layout.shape.queryHeadsPerStream
    let width = source.layout.shape.keyWidth
    let perKeyHead = queryHeads / keyUp.count
    var options = source.options
    options.scale = source.options.scale ?? 1 / Float(width).squareRoot()
    options.rotary = source.options.rotary?.turning(by: split.frequencies)
    let down: Linear? =
      layout.ownsRows
      ? Linear(
        weight: try Self.weights([self.down], format: format), bias: downBias?.map { Float($0) })
      : nil
    return LatentAttention(
      layout: layout, shape: shape,
      query: try queries(
        source.query, heads: queryHeads, width: width, shape: shape,
        magnitude: source.options.rotary?.magnitude ?? 1, pool: pool),
      down: down,
      keyUp: HeadwiseLinear(
        weight: try Self.weights(
          (0..<queryHeads).map { keyUp[$0 / perKeyHead] }, format: format), heads: queryHeads),
      valueUp: HeadwiseLinear(
        weight: try Self.weights(
          (0..<queryHeads).map { valueUp[$0 / perKeyHead] }, format: format), heads: queryHeads),
      output: try source.output.adding(valueBias, width: width, queryHeads: queryHeads),
      options: options)
  }

  /// Matrices of equal width one under the other, rounded to `format`.
  private static func weights(
    _ parts: [DMatrix], format: WeightFormat
  ) throws(OutOfMemory) -> WeightMatrix {
    let columns = parts[0].columns
    let values = try Matrix(rows: parts.reduce(0) { $0 + $1.rows }, columns: columns)
    var first = 0
    for part in parts {
      part.store(
        to: MutableMatrixView(
          values.pointer + first * columns, rows: part.rows, columns: columns))
      first += part.rows
    }
    return try WeightMatrix(
      outputs: values.rows, inputs: columns, format: format, values: values.pointer)
  }

  /// An element of a query head and the weight that it has in a row of the converted one.
  private typealias QueryTerm = (element: Int, weight: Float)

  /// What the rows of a converted query head are made of, for the heads of one key head: the elements
  /// that meet position-free keys, then the RoPE components.
  /// - Parameter stretch: of position-free elements.
  private func queryTerms(
    keyHead: Int, shape: LatentShape, stretch: Float
  ) -> [[QueryTerm]] {
    var rows: [[QueryTerm]] = split.nopeElements[keyHead].map { [($0, stretch)] }
    let slice = split.slices[split.slices.count > 1 ? keyHead : 0]
    for half in 0..<2 {
      for component in slice {
        rows.append(
          component.parts.filter { $0.head == keyHead }
            .map { ($0.pair + half * split.pairs, Float($0.weight)) })
      }
    }
    precondition(rows.count == shape.headWidth, "a row for every element of a head")
    return rows
  }

  /// [N·H × D] → [N(d_n + P) × D].
  /// - Parameter magnitude: what the source's rotation multiplies rows by. Position-free parts are not
  ///   rotated here: their queries take it twice, for themselves and for the keys.
  private func queries(
    _ query: Linear, heads: Int, width: Int, shape: LatentShape, magnitude: Float,
    pool: WorkerPool?
  ) throws(OutOfMemory) -> Linear {
    let (hidden, headWidth, perKeyHead) = (query.inputs, shape.headWidth, heads / keyUp.count)
    let rowsOfKeyHead = keyUp.indices.map {
      queryTerms(keyHead: $0, shape: shape, stretch: magnitude * magnitude)
    }
    func terms(ofRow row: Int) -> (first: Int, terms: [QueryTerm]) {
      let head = row / headWidth
      return (head * width, rowsOfKeyHead[head / perKeyHead][row % headWidth])
    }
    let bias = query.bias.map { source in
      (0..<heads * headWidth).map { row in
        let (first, terms) = terms(ofRow: row)
        return terms.reduce(Float(0)) { $0 + $1.weight * source[first + $1.element] }
      }
    }
    let weight = try WeightMatrix(
      outputs: heads * headWidth, inputs: hidden, format: query.weight.format, pool: pool
    ) { range, target in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: hidden) { decoded in
        guard let decoded = decoded.baseAddress else { return }
        for (index, row) in range.enumerated() {
          let to = target + index * hidden
          let (first, terms) = terms(ofRow: row)
          if terms.isEmpty { to.initialize(repeating: 0, count: hidden) }
          for (place, term) in terms.enumerated() {
            let from = place == 0 ? to : decoded
            query.weight.decodeRows(first + term.element..<first + term.element + 1, to: from)
            if place > 0 {
              for column in 0..<hidden { to[column] += term.weight * from[column] }
            } else if term.weight != 1 {
              for column in 0..<hidden { to[column] *= term.weight }
            }
          }
        }
      }
    }
    return Linear(weight: weight, bias: bias)
  }
}

extension Linear {
  /// The projection of attention's result with the bias of the values folded in: attention's weights
  /// sum to one, so that every query head of key head k adds W_o · b_v to the result.
  fileprivate func adding(
    _ valueBias: [Double], width: Int, queryHeads: Int
  ) throws(OutOfMemory) -> Linear {
    guard valueBias.contains(where: { $0 != 0 }) else { return self }
    let perKeyHead = queryHeads / (valueBias.count / width)
    let row = try Matrix(rows: 1, columns: inputs)
    let spread = (0..<inputs).map { valueBias[$0 / width / perKeyHead * width + $0 % width] }
    var result = bias ?? [Float](repeating: 0, count: outputs)
    for output in 0..<outputs {
      weight.decodeRows(output..<output + 1, to: row.pointer)
      var sum = 0.0
      for input in 0..<inputs { sum += Double(row.pointer[input]) * spread[input] }
      result[output] += Float(sum)
    }
    return Linear(weight: weight, bias: result)
  }
}

extension RotaryEmbedding {
  /// The same embedding of components that turn by other frequencies.
  func turning(by frequencies: [Double]) -> RotaryEmbedding {
    RotaryEmbedding(frequencies: frequencies, pairing: pairing, magnitude: magnitude)
  }
}
