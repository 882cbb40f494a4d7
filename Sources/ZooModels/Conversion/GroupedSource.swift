import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// The keys and values of one grouped layer as a factorisation reads them, checked.
///
/// Shapes: K key/value heads, H head width, D hidden width; y = [keys before RoPE; values].
struct GroupedSource {
  let layer: Int
  let heads: Int
  let width: Int
  let hidden: Int
  let rotary: RotaryEmbedding
  /// [2·K·H × D].
  let weights: DMatrix
  /// 2·K·H elements; zero where the source has none.
  let bias: [Double]
  /// Whether attention's weights sum to one, so that a constant in the values is a constant in the
  /// result. Not with learned sink logits.
  let weightsSumToOne: Bool
  /// Whether a constant in all position-free keys leaves the softmax as it is.
  let keysShiftFreely: Bool

  /// - Throws: `ConversionError` for what cannot be factorised, `OutOfMemory`.
  init(_ module: MultiHeadAttention, target: Variant) throws {
    let layer = module.layout.layer
    func refuse(_ reason: String) -> ConversionError {
      ConversionError(target: target.notation, layer: layer, reason: reason)
    }
    guard let key = module.key, let value = module.value else {
      throw refuse("the source has no keys and values of its own; expected mha, gqa or mqa")
    }
    guard let rotary = module.options.rotary, rotary.pairing == .halfSplit,
      rotary.width == module.layout.shape.keyWidth
    else {
      throw refuse("the source must rotate halves of whole heads")
    }
    guard rotary.growth == nil else {
      throw refuse(
        "the source's RoPE follows the length of the sequence (dynamic), which chosen components "
          + "cannot; expected fixed frequencies")
    }
    guard module.options.queryNorm == nil, module.options.keyNorm == nil else {
      throw refuse(
        "the source normalises queries or keys, which no projection from a latent can do; "
          + "expected a source without q_norm and k_norm, or a grouped target")
    }
    self.layer = layer
    self.rotary = rotary
    heads = module.layout.shape.streams
    width = module.layout.shape.keyWidth
    hidden = module.query.inputs
    weights = try DMatrix([key, value])
    bias = [key, value].flatMap { linear in
      linear.bias?.map { Double($0) } ?? Array(repeating: 0, count: linear.outputs)
    }
    weightsSumToOne = module.options.sinkLogits == nil
    keysShiftFreely = weightsSumToOne && module.options.softCap == 0
  }

  /// Rows of keys in y, K·H.
  var keyRows: Int { heads * width }

  /// Whether all biases are zero.
  var isUnbiased: Bool { bias.allSatisfy { $0 == 0 } }

  /// Mean of y·yᵀ with all biases in.
  func biasedMoments(_ moments: ProjectionMoments) -> DMatrix {
    isUnbiased ? moments.second : moments.second.shifted(by: bias, mean: moments.mean)
  }

  /// Mean of y·yᵀ of what the latent must carry. Where attention lets constants through, a mean needs
  /// no latent (in keys it means nothing, in values it is a bias of the result): the covariance;
  /// otherwise the moments with the biases that stay.
  func carriedMoments(_ moments: ProjectionMoments) -> DMatrix {
    let shift = keysShiftFreely ? moments.mean.map { -$0 } : carriedBias
    return moments.second.shifted(by: shift, mean: moments.mean)
  }

  /// The part of the biases that stays in the latent: none where attention lets constants through.
  var carriedBias: [Double] {
    bias.enumerated().map { row, value in
      (row < keyRows ? keysShiftFreely : weightsSumToOne) ? 0 : value
    }
  }
}

extension DMatrix {
  /// self over other.
  func stacked(over other: DMatrix) -> DMatrix {
    precondition(columns == other.columns)
    return DMatrix(rows: rows + other.rows, columns: columns, values: values + other.values)
  }

  /// E[(y + s)(y + s)ᵀ] from E[y·yᵀ] and E[y].
  func shifted(by shift: [Double], mean: [Double]) -> DMatrix {
    var result = self
    for row in 0..<rows {
      for column in 0..<columns {
        result.values[row * columns + column] +=
          mean[row] * shift[column] + shift[row] * mean[column] + shift[row] * shift[column]
      }
    }
    return result
  }
}

extension DMatrix {
  /// The weights of linear maps of as many inputs each, one under the other, in float64.
  init(_ linears: [Linear]) throws(OutOfMemory) {
    let (rows, columns) = (linears.reduce(0) { $0 + $1.outputs }, linears[0].inputs)
    let block = 64
    let floats = try Matrix(rows: block, columns: columns)
    let values = [Double](unsafeUninitializedCapacity: rows * columns) { buffer, filled in
      for linear in linears {
        for first in stride(from: 0, to: linear.outputs, by: block) {
          let range = first..<min(first + block, linear.outputs)
          linear.weight.decodeRows(range, to: floats.pointer)
          let count = range.count * columns
          for index in 0..<count { buffer[filled + index] = Double(floats.pointer[index]) }
          filled += count
        }
      }
    }
    self.init(rows: rows, columns: columns, values: values)
  }
}
