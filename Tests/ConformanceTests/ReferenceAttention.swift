import AttentionCore
import AttentionZoo
import Foundation
import ZooLinearAlgebra

/// Attention layers in plain float64, straight from the papers' equations: every key and value of
/// every head is written out, nothing is absorbed, cached, tiled or shared out. Rows are what their
/// codec keeps of them, by `CacheModel`.
struct ReferenceAttention {
  typealias Vector = [Double]

  /// Outputs of every layer at every position of one sequence.
  /// - Parameter hidden: `[layer][position]`, each layer's own input of width D.
  static func outputs(modules: [any AttentionModule], hidden: [[Vector]]) -> [[Vector]] {
    modules.indices.map { layer in
      let owner = modules[layer].layout.owner
      return outputs(
        modules[layer], hidden: hidden[layer], owner: modules[owner], ownerHidden: hidden[owner])
    }
  }

  private static func outputs(
    _ module: any AttentionModule, hidden: [Vector], owner: any AttentionModule,
    ownerHidden: [Vector]
  ) -> [Vector] {
    switch (module, owner) {
    case (let module as MultiHeadAttention, let owner as MultiHeadAttention):
      return grouped(module, hidden, owner, ownerHidden)
    case (let module as LatentAttention, let owner as LatentAttention):
      return latent(module, hidden, owner, ownerHidden)
    default:
      fatalError("a layer shares rows with another kind of layer")
    }
  }

  private static func grouped(
    _ module: MultiHeadAttention, _ hidden: [Vector], _ owner: MultiHeadAttention,
    _ ownerHidden: [Vector]
  ) -> [Vector] {
    let shape = module.layout.shape
    let heads = shape.streams * shape.queryHeadsPerStream
    let options = module.options
    let scale = Double(options.scale ?? 1 / Float(shape.keyWidth).squareRoot())
    func rotated(_ vector: Vector, _ width: Int, _ position: Int, _ norm: [Float]?) -> Vector {
      stride(from: 0, to: vector.count, by: width).flatMap { first -> Vector in
        var head = Array(vector[first..<first + width])
        if let norm { head = rmsNorm(head, norm, Double(options.normEpsilon)) }
        return rotate(head, options.rotary, position)
      }
    }
    let (keyMap, valueMap) = (Dense(owner.key!), Dense(owner.value!))
    let (queryMap, outputMap) = (Dense(module.query), Dense(module.output))
    let keys = ownerHidden.enumerated().map {
      rotated(keyMap($1), shape.keyWidth, $0, owner.options.keyNorm)
    }
    let values = ownerHidden.map { valueMap($0) }
    let codec = module.layout.codec
    func streams(_ rows: [Vector], _ codec: any KVCodec, _ width: Int) -> [CacheModel.Rows] {
      (0..<shape.streams).map { stream in
        CacheModel((codec.notation, width)).stored(
          rows.map { Array($0[stream * width..<(stream + 1) * width]) })
      }
    }
    let storedKeys = streams(keys, codec.first, shape.keyWidth)
    let storedValues = streams(values, codec.second, shape.valueWidth)
    return hidden.enumerated().map { position, state in
      let query = rotated(queryMap(state), shape.keyWidth, position, options.queryNorm)
      let attended = (0..<heads).flatMap { head -> Vector in
        let stream = head / shape.queryHeadsPerStream
        return weightedSum(
          position: position, reach: module.layout.reach, options: options, head: head,
          score: { token in
            scale
              * dot(
                query[head * shape.keyWidth..<(head + 1) * shape.keyWidth],
                storedKeys[stream].row(token, from: position)[...])
          },
          value: { token in storedValues[stream].row(token, from: position) },
          width: shape.valueWidth)
      }
      return outputMap(attended)
    }
  }

  private static func latent(
    _ module: LatentAttention, _ hidden: [Vector], _ owner: LatentAttention,
    _ ownerHidden: [Vector]
  ) -> [Vector] {
    let shape = module.shape
    let heads = module.heads
    let scale = Double(module.options.scale ?? 1 / Float(shape.headWidth).squareRoot())
    let (downMap, queryMap, outputMap) = (
      Dense(owner.down!), Dense(module.query), Dense(module.output)
    )
    let rows = ownerHidden.enumerated().map { position, state -> Vector in
      let row = downMap(state)
      var latent = Array(row[..<shape.rank])
      if let norm = owner.options.latentNorm {
        latent = rmsNorm(latent, norm, Double(owner.options.normEpsilon))
      }
      return latent
        + (0..<shape.ropeSlices).flatMap { slice -> Vector in
          let first = shape.rank + slice * shape.ropeWidth
          return rotate(
            Array(row[first..<first + shape.ropeWidth]), owner.options.rotary, position,
            slice: slice)
        }
    }
    let codec = module.layout.codec
    let width = shape.rank + shape.ropeSlices * shape.ropeWidth
    let model =
      codec.first.notation == codec.second.notation
      ? CacheModel((codec.first.notation, width))
      : CacheModel(
        (codec.first.notation, shape.rank), (codec.second.notation, width - shape.rank))
    let stored = model.stored(rows)
    // Keys and values of this layer's heads, [token][head], by its own up-projections, of rows as
    // queries of the token's own group see them and as later ones do.
    let up = matrix(module.keyUp.weight)
    let out = matrix(module.valueUp.weight)
    func expand(_ row: Vector) -> [(key: Vector, value: Vector)] {
      (0..<heads).map { head -> (key: Vector, value: Vector) in
        let slice = head / (heads / shape.ropeSlices)
        let nope = (0..<shape.nopeWidth).map { part in
          (0..<shape.rank).reduce(0.0) { $0 + up[head * shape.rank + $1][part] * row[$1] }
        }
        let rope = row[(shape.rank + slice * shape.ropeWidth)...].prefix(shape.ropeWidth)
        let value = (0..<shape.valueWidth).map { part in
          dot(out[head * shape.valueWidth + part][...], row[..<shape.rank])
        }
        return (nope + rope, value)
      }
    }
    let fresh = rows.indices.map { expand(stored.row($0, from: $0)) }
    let settled = rows.indices.map { expand(stored.row($0, from: .max)) }
    func expanded(_ token: Int, from position: Int) -> [(key: Vector, value: Vector)] {
      stored.isFresh(token, from: position) ? fresh[token] : settled[token]
    }
    return hidden.enumerated().map { position, state in
      let query = queryMap(state)
      let attended = (0..<heads).flatMap { head -> Vector in
        let own = Array(query[head * shape.headWidth..<(head + 1) * shape.headWidth])
        let slice = head / (heads / shape.ropeSlices)
        let turned =
          own[..<shape.nopeWidth]
          + rotate(
            Array(own[shape.nopeWidth...]), module.options.rotary, position, slice: slice)
        return weightedSum(
          position: position, reach: module.layout.reach, options: module.options, head: head,
          score: { scale * dot(turned[...], expanded($0, from: position)[head].key[...]) },
          value: { expanded($0, from: position)[head].value }, width: shape.valueWidth)
      }
      return outputMap(attended)
    }
  }

  private static func weightedSum(
    position: Int, reach: Reach, options: AttentionOptions, head: Int, score: (Int) -> Double,
    value: (Int) -> Vector, width: Int
  ) -> Vector {
    let seen = (0...position).filter { token in
      guard let window = reach.window else { return true }
      return token > position - window || token < reach.sinks
    }
    let cap = Double(options.softCap)
    let scores = seen.map { token -> Double in
      let raw = score(token)
      return cap > 0 ? cap * tanh(raw / cap) : raw
    }
    let sink = options.sinkLogits.map { Double($0[head]) }
    let peak = max(scores.max() ?? -.infinity, sink ?? -.infinity)
    let weights = scores.map { exp($0 - peak) }
    let total = weights.reduce(sink.map { exp($0 - peak) } ?? 0, +)
    var result = Vector(repeating: 0, count: width)
    for (token, weight) in zip(seen, weights) {
      for (index, element) in value(token).enumerated() {
        result[index] += weight / total * element
      }
    }
    return result
  }

  private static func rotate(
    _ vector: Vector, _ rotary: RotaryEmbedding?, _ position: Int, slice: Int = 0
  ) -> Vector {
    guard let rotary else { return vector }
    let pairs = vector.count / 2
    let first = rotary.frequencies.count > pairs ? slice * pairs : 0
    var result = vector
    for pair in 0..<pairs {
      let angle = Double(position) * rotary.frequencies[first + pair]
      let (left, right) =
        rotary.pairing == .halfSplit ? (pair, pair + pairs) : (2 * pair, 2 * pair + 1)
      result[left] = vector[left] * cos(angle) - vector[right] * sin(angle)
      result[right] = vector[right] * cos(angle) + vector[left] * sin(angle)
    }
    return result
  }

  private static func rmsNorm(_ vector: Vector, _ weight: [Float], _ epsilon: Double) -> Vector {
    let mean = vector.reduce(0) { $0 + $1 * $1 } / Double(vector.count)
    return zip(vector, weight).map { $0 / (mean + epsilon).squareRoot() * Double($1) }
  }

  private static func dot(_ left: ArraySlice<Double>, _ right: ArraySlice<Double>) -> Double {
    zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
  }

  /// A linear map in float64.
  private struct Dense {
    let rows: [Vector]
    let bias: [Float]?

    init(_ linear: Linear) {
      rows = matrix(linear.weight)
      bias = linear.bias
    }

    func callAsFunction(_ vector: Vector) -> Vector {
      rows.enumerated().map { index, row in
        dot(row[...], vector[...]) + Double(bias?[index] ?? 0)
      }
    }
  }

  private static func matrix(_ weight: WeightMatrix) -> [Vector] {
    var row = [Float](repeating: 0, count: weight.inputs)
    return (0..<weight.outputs).map { output in
      weight.decodeRows(output..<output + 1, to: &row)
      return row.map(Double.init)
    }
  }
}
