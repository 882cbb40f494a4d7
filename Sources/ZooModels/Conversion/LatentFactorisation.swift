import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Latent attention from the weights of multi-head or grouped attention.
///
/// With one shared RoPE slice (TransMLA, arXiv 2502.07864): for each frequency the key heads'
/// components are rotated among the heads by the eigenvectors of their Gram matrix, which commutes
/// with RoPE; the components with most energy keep their rotation and become the shared RoPE key,
/// the rest loses its position. With a slice a KV head (MHA2MLA, arXiv 2502.14837): each head keeps
/// its own pairs of most energy. What has no position is stacked with the values, balanced to
/// the same norm, and cut to the rank by a singular value decomposition in float64.
struct LatentFactorisation {
  private let source: MultiHeadAttention
  private let rows: MultiHeadAttention
  private let shape: LatentShape
  private let target: Variant
  private let hidden: Int
  private let queryHeads: Int
  private let keyHeads: Int
  private let width: Int
  private let frequencies: [Double]

  /// - Parameters:
  ///   - source: the layer whose queries and output are kept.
  ///   - rows: the layer whose keys and values become the rows; another one where rows are shared.
  init(
    source: MultiHeadAttention, rows: MultiHeadAttention, shape: LatentShape, target: Variant
  ) throws {
    self.source = source
    self.rows = rows
    self.shape = shape
    self.target = target
    hidden = source.query.inputs
    width = source.layout.shape.keyWidth
    keyHeads = source.layout.shape.streams
    queryHeads = keyHeads * source.layout.shape.queryHeadsPerStream
    func refuse(_ reason: String) -> ConversionError {
      ConversionError(target: target.notation, layer: source.layout.layer, reason: reason)
    }
    guard let rotary = source.options.rotary, rotary.pairing == .halfSplit else {
      throw refuse("the source must rotate halves of its heads")
    }
    guard source.options.queryNorm == nil, source.options.keyNorm == nil else {
      throw refuse("a model with query or key norms cannot be factorised")
    }
    guard source.query.bias == nil, rows.key?.bias == nil, rows.value?.bias == nil else {
      throw refuse("a model with query, key or value biases cannot be factorised yet")
    }
    guard shape.ropeSlices == 1 || shape.ropeSlices == keyHeads else {
      throw refuse("expected one RoPE slice or \(keyHeads), one a key/value head")
    }
    guard shape.ropeWidth <= (shape.ropeSlices == 1 ? keyHeads : 1) * width else {
      throw refuse("a RoPE slice of \(shape.ropeWidth) is wider than the keys")
    }
    guard rows.options.rotary == rotary else {
      throw refuse("layers that share rows must rotate alike")
    }
    guard shape.valueWidth == width,
      shape.nopeWidth == (shape.ropeSlices == 1 ? width : width - shape.ropeWidth)
    else {
      throw refuse("latent heads must keep the source's head width of \(width)")
    }
    frequencies = rotary.frequencies
    let largest = min(hidden, keyHeads * (shape.nopeWidth + width))
    guard shape.rank <= largest else {
      throw refuse("rank \(shape.rank) is larger than the matrix; at most \(largest)")
    }
  }

  /// The module on `layout`.
  func module(layout: KVLayout) throws -> LatentAttention {
    guard let key = rows.key, let value = rows.value else {
      throw ConversionError(
        target: target.notation, layer: layout.layer, reason: "the source has no keys")
    }
    let queries = try source.query.matrix()
    let keys = try key.matrix()
    // The rows are the owner's: which pairs they keep must not depend on who reads them.
    let split =
      shape.ropeSlices == 1
      ? try sharedSplit(queries: queries, keys: keys)
      : try headSplit(queries: queries, keys: keys, choosing: try rows.query.matrix())
    let latent = try factorise(
      nopeKeys: split.nopeKeys, values: try value.matrix(), keyScale: Self.norm(keys))
    let format = source.query.weight.format
    var down: Linear?
    if layout.ownsRows {
      var rows = latent.down.values
      rows += split.ropeKeys.values
      down = try linear(
        DMatrix(rows: shape.rowWidth, columns: hidden, values: rows), format)
    }
    var options = source.options
    options.scale = source.options.scale ?? 1 / Float(width).squareRoot()
    options.rotary = RotaryEmbedding(frequencies: split.frequencies, pairing: .halfSplit)
    return LatentAttention(
      layout: layout, shape: shape, query: try linear(split.queries, format), down: down,
      keyUp: HeadwiseLinear(
        weight: try linear(latent.keyUp, format).weight, heads: queryHeads),
      valueUp: HeadwiseLinear(
        weight: try linear(latent.valueUp, format).weight, heads: queryHeads),
      output: source.output, options: options)
  }

  /// Keys and queries apart: what keeps its rotation and what loses its position.
  private struct Split {
    /// `[slices·P × D]`, each slice half-split.
    var ropeKeys: DMatrix
    /// `[K·d_n × D]`.
    var nopeKeys: DMatrix
    /// `[N(d_n + P) × D]`, each head [nope, rope].
    var queries: DMatrix
    /// One a pair and slice.
    var frequencies: [Double]
  }

  /// One RoPE slice for all heads: the P/2 components of most energy over all frequencies.
  private func sharedSplit(queries: DMatrix, keys: DMatrix) throws -> Split {
    struct Component {
      var pair: Int
      var energy: Double
      /// Weight of each key head.
      var readout: [Double]
    }
    let pairs = width / 2
    var components: [Component] = []
    for pair in 0..<pairs {
      var gram = DMatrix(rows: keyHeads, columns: keyHeads)
      for left in 0..<keyHeads {
        for right in 0...left {
          var sum = 0.0
          for part in [pair, pair + pairs] {
            for column in 0..<hidden {
              sum += keys[left * width + part, column] * keys[right * width + part, column]
            }
          }
          gram[left, right] = sum
          gram[right, left] = sum
        }
      }
      let eigen = try LAPACK.symmetricEigen(gram)
      for index in 0..<keyHeads {
        components.append(
          Component(
            pair: pair, energy: eigen.values[index],
            readout: (0..<keyHeads).map { eigen.vectors[index, $0] }))
      }
    }
    let ranked = components.enumerated().sorted {
      ($1.element.energy, $0.offset) < ($0.element.energy, $1.offset)
    }
    let kept = ranked.prefix(shape.ropeWidth / 2).map(\.element).sorted { $0.pair < $1.pair }

    var ropeKeys = DMatrix(rows: shape.ropeWidth, columns: hidden)
    var nopeKeys = keys
    var split = DMatrix(rows: queryHeads * shape.headWidth, columns: hidden)
    let group = queryHeads / keyHeads
    for head in 0..<queryHeads {
      for row in 0..<width {
        split.copyRow(head * shape.headWidth + row, from: queries, head * width + row)
      }
    }
    for (index, component) in kept.enumerated() {
      for (half, part) in [component.pair, component.pair + pairs].enumerated() {
        let row = index + half * kept.count
        for head in 0..<keyHeads {
          ropeKeys.addRow(
            row, component.readout[head], of: keys, head * width + part)
        }
        for head in 0..<keyHeads {
          nopeKeys.addRow(head * width + part, -component.readout[head], of: ropeKeys, row)
        }
        for head in 0..<queryHeads {
          split.addRow(
            head * shape.headWidth + shape.nopeWidth + row, component.readout[head / group],
            of: queries, head * width + part)
        }
      }
    }
    return Split(
      ropeKeys: ropeKeys, nopeKeys: nopeKeys, queries: split,
      frequencies: kept.map { frequencies[$0.pair] })
  }

  /// A RoPE slice for each key head: its P/2 pairs of largest ‖query pair‖·‖key pair‖.
  /// - Parameter choosing: queries of the layer that owns the rows.
  private func headSplit(
    queries: DMatrix, keys: DMatrix, choosing: DMatrix
  ) throws -> Split {
    let pairs = width / 2
    let kept = shape.ropeWidth / 2
    let group = queryHeads / keyHeads
    var split = Split(
      ropeKeys: DMatrix(rows: shape.ropeWidth * keyHeads, columns: hidden),
      nopeKeys: DMatrix(rows: keyHeads * shape.nopeWidth, columns: hidden),
      queries: DMatrix(rows: queryHeads * shape.headWidth, columns: hidden), frequencies: [])
    for head in 0..<keyHeads {
      func norm(_ matrix: DMatrix, _ row: Int) -> Double {
        (0..<hidden).reduce(0) { $0 + matrix[row, $1] * matrix[row, $1] }
      }
      let energy = (0..<pairs).map { pair in
        let key = norm(keys, head * width + pair) + norm(keys, head * width + pair + pairs)
        return (head * group..<(head + 1) * group).reduce(0.0) { sum, query in
          let size =
            norm(choosing, query * width + pair) + norm(choosing, query * width + pair + pairs)
          return sum + (key * size).squareRoot()
        }
      }
      let order = (0..<pairs).sorted { (energy[$1], $0) < (energy[$0], $1) }
      let rotated = order.prefix(kept).sorted()
      let rest = order.dropFirst(kept).sorted()
      let ropeParts = rotated + rotated.map { $0 + pairs }
      let nopeParts = rest + rest.map { $0 + pairs }
      for (index, part) in ropeParts.enumerated() {
        split.ropeKeys.copyRow(head * shape.ropeWidth + index, from: keys, head * width + part)
      }
      for (index, part) in nopeParts.enumerated() {
        split.nopeKeys.copyRow(head * shape.nopeWidth + index, from: keys, head * width + part)
      }
      for query in head * group..<(head + 1) * group {
        for (index, part) in (nopeParts + ropeParts).enumerated() {
          split.queries.copyRow(
            query * shape.headWidth + index, from: queries, query * width + part)
        }
      }
      split.frequencies += rotated.map { frequencies[$0] }
    }
    return split
  }

  private static func norm(_ matrix: DMatrix) -> Double {
    matrix.values.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// Down- and up-projections of rank r of the stacked [position-free keys; values].
  /// - Parameter keyScale: norm of the keys before the split. Rounding of them that remains is not
  ///   worth a rank: it is left at its own size instead of being raised to that of the values.
  private func factorise(
    nopeKeys: DMatrix, values: DMatrix, keyScale: Double
  ) throws -> (down: DMatrix, keyUp: DMatrix, valueUp: DMatrix) {
    let (keyNorm, valueNorm) = (Self.norm(nopeKeys), Self.norm(values))
    let balance = keyNorm > 1e-9 * keyScale && valueNorm > 0 ? valueNorm / keyNorm : 1
    let stacked = DMatrix(
      rows: nopeKeys.rows + values.rows, columns: hidden,
      values: nopeKeys.values.map { $0 * balance } + values.values)
    let svd = try LAPACK.svd(stacked)
    let rank = shape.rank
    let group = queryHeads / keyHeads
    // Stored for the absorbed path: [N][r][d_n] and [N][d_v][r].
    var keyUp = DMatrix(rows: queryHeads * rank, columns: shape.nopeWidth)
    var valueUp = DMatrix(rows: queryHeads * shape.valueWidth, columns: rank)
    for head in 0..<queryHeads {
      let keyRow = head / group * shape.nopeWidth
      let valueRow = nopeKeys.rows + head / group * shape.valueWidth
      for index in 0..<rank {
        for part in 0..<shape.nopeWidth {
          keyUp[head * rank + index, part] =
            svd.u[keyRow + part, index] * svd.singular[index] / balance
        }
        for part in 0..<shape.valueWidth {
          valueUp[head * shape.valueWidth + part, index] =
            svd.u[valueRow + part, index] * svd.singular[index]
        }
      }
    }
    return (svd.vt.prefixRows(rank), keyUp, valueUp)
  }

  private func linear(_ matrix: DMatrix, _ format: WeightFormat) throws(OutOfMemory) -> Linear {
    let values = matrix.values.map { Float($0) }
    return Linear(
      weight: try WeightMatrix(
        outputs: matrix.rows, inputs: matrix.columns, format: format, values: values))
  }
}

extension Linear {
  /// The weights in float64, `[outputs × inputs]`.
  func matrix() throws(OutOfMemory) -> DMatrix {
    let floats = try Matrix(rows: outputs, columns: inputs)
    weight.decodeRows(0..<outputs, to: floats.pointer)
    return DMatrix(floats.view)
  }
}

extension DMatrix {
  mutating func copyRow(_ row: Int, from other: DMatrix, _ otherRow: Int) {
    for column in 0..<columns { self[row, column] = other[otherRow, column] }
  }

  mutating func addRow(_ row: Int, _ factor: Double, of other: DMatrix, _ otherRow: Int) {
    for column in 0..<columns { self[row, column] += factor * other[otherRow, column] }
  }
}
