import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension LatentBasis {
  /// Latent attention of `source`'s queries and output over these rows.
  /// - Parameters:
  ///   - source: the layer itself; where rows are shared another one than that of the rows.
  ///   - layout: the layer's, with this basis's rank.
  /// - Throws: `OutOfMemory`.
  func module(
    _ source: MultiHeadAttention, layout: KVLayout, shape: LatentShape
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
        magnitude: source.options.rotary?.magnitude ?? 1),
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

  /// [N·H × D] → [N(d_n + P) × D]: of every head the elements that meet position-free keys, then its
  /// RoPE components.
  /// - Parameter magnitude: what the source's rotation multiplies rows by. Position-free parts are not
  ///   rotated here: their queries take it twice, for themselves and for the keys.
  private func queries(
    _ query: Linear, heads: Int, width: Int, shape: LatentShape, magnitude: Float
  ) throws(OutOfMemory) -> Linear {
    let hidden = query.inputs
    let head = try Matrix(rows: width, columns: hidden)
    let result = try Matrix(rows: heads * shape.headWidth, columns: hidden)
    var bias = query.bias.map { _ in [Float](repeating: 0, count: result.rows) }
    let perKeyHead = heads / keyUp.count
    for index in 0..<heads {
      query.weight.decodeRows(index * width..<(index + 1) * width, to: head.pointer)
      let keyHead = index / perKeyHead
      let first = index * shape.headWidth
      let stretch = magnitude * magnitude
      for (row, element) in split.nopeElements[keyHead].enumerated() {
        let (target, from) = (
          result.pointer + (first + row) * hidden, head.pointer + element * hidden
        )
        for column in 0..<hidden { target[column] = stretch * from[column] }
        if let source = query.bias {
          bias?[first + row] = stretch * source[index * width + element]
        }
      }
      let slice = split.slices[split.slices.count > 1 ? keyHead : 0]
      for (place, component) in slice.enumerated() {
        for half in 0..<2 {
          let row = first + shape.nopeWidth + half * slice.count + place
          let target = result.pointer + row * hidden
          for part in component.parts where part.head == keyHead {
            let element = part.pair + half * split.pairs
            let weight = Float(part.weight)
            let from = head.pointer + element * hidden
            for column in 0..<hidden { target[column] += weight * from[column] }
            if let source = query.bias { bias?[row] += weight * source[index * width + element] }
          }
        }
      }
    }
    return Linear(
      weight: try WeightMatrix(
        outputs: result.rows, inputs: hidden, format: query.weight.format, values: result.pointer),
      bias: bias)
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
    var result = bias ?? [Float](repeating: 0, count: outputs)
    for output in 0..<outputs {
      weight.decodeRows(output..<output + 1, to: row.pointer)
      var sum = 0.0
      for input in 0..<inputs {
        let keyHead = input / width / perKeyHead
        sum += Double(row.pointer[input]) * valueBias[keyHead * width + input % width]
      }
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
