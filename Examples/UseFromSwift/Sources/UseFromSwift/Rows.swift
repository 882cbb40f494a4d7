import AttentionCore

/// Rows that stand for a model's: a number for each layer, stream, token and element, so that they
/// can be made again to check a result.
struct Rows {
  let layer: Int
  let shape: RowShape

  private func element(_ kind: Int, _ stream: Int, _ token: Int, _ index: Int) -> Float {
    // A small integer hash, spread over −1 … 1. Multiples of 1/128 are exact in every codec.
    var word = UInt64(((layer * 3 + kind) * 64 + stream) * 1_000_003 + token * 4_099 + index + 1)
    word = (word ^ (word >> 15)) &* 0x9E37_79B9_7F4A_7C15
    word = (word ^ (word >> 29)) &* 0xBF58_476D_1CE4_E5B9
    return Float(word >> 56) / 128 - 1
  }

  func key(stream: Int, token: Int) -> [Float] {
    (0..<shape.keyWidth).map { element(0, stream, token, $0) }
  }

  /// For latent attention the first elements of the key.
  func value(stream: Int, token: Int) -> [Float] {
    shape.valueIsKeyPrefix
      ? Array(key(stream: stream, token: token).prefix(shape.valueWidth))
      : (0..<shape.valueWidth).map { element(1, stream, token, $0) }
  }

  /// The query heads of one stream, `[heads][key width]`.
  func queries(stream: Int, token: Int) -> [Float] {
    (0..<shape.queryHeadsPerStream * shape.keyWidth).map { element(2, stream, token, $0) }
  }
}

/// Attention of one query head over the tokens that `reach` shows, in float64.
func reference(
  _ rows: Rows, stream: Int, head: Int, position: Int, reach: Reach, scale: Float
) -> [Double] {
  let shape = rows.shape
  let query = rows.queries(stream: stream, token: position)[
    head * shape.keyWidth..<(head + 1) * shape.keyWidth]
  let seen = (0...position).filter { reach.sees($0, from: position) }
  let scores = seen.map { token in
    Double(scale)
      * zip(query, rows.key(stream: stream, token: token)).reduce(0.0) {
        $0 + Double($1.0) * Double($1.1)
      }
  }
  let sum = scores.reduce(0.0) { $0 + exponential($1) }
  var result = [Double](repeating: 0, count: shape.valueWidth)
  for (score, token) in zip(scores, seen) {
    let weight = exponential(score) / sum
    for (index, element) in rows.value(stream: stream, token: token).enumerated() {
      result[index] += weight * Double(element)
    }
  }
  return result
}

/// eˣ for the moderate scores of this example, without Foundation: (Σ yᵏ/k!)²⁵⁶ with y = x/256.
private func exponential(_ x: Double) -> Double {
  let y = x / 256
  var term = 1.0
  var sum = 1.0
  for k in 1...12 {
    term *= y / Double(k)
    sum += term
  }
  for _ in 0..<8 { sum *= sum }
  return sum
}
