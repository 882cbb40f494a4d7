import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

extension LayerConverter {
  /// Splits and stacks a layer's keys and values, ready to be cut to a rank.
  func factorisation(
    _ module: MultiHeadAttention, layout: KVLayout, shape: LatentShape,
    moments: ProjectionMoments?, measure: SplitMeasure?
  ) throws -> LatentFactorisation {
    let layer = layout.layer
    let source = try GroupedSource(module, target: target)
    guard shape.ropeSlices == 1 || shape.ropeSlices == source.heads else {
      throw refusal(layer, "expected one RoPE slice or \(source.heads), one a key/value head")
    }
    guard shape.ropeWidth <= (shape.ropeSlices == 1 ? source.heads : 1) * source.width else {
      throw refusal(layer, "a RoPE slice of \(shape.ropeWidth) is wider than the keys")
    }
    guard shape.valueWidth == source.width,
      shape.nopeWidth == (shape.ropeSlices == 1 ? source.width : source.width - shape.ropeWidth)
    else {
      throw refusal(layer, "latent heads must keep the source's head width of \(source.width)")
    }
    // A bias that the latent carries is a direction of its own.
    let carried = source.carriedBias.contains { $0 != 0 } ? 1 : 0
    let largest = min(
      source.hidden + carried, source.heads * (shape.nopeWidth + source.width))
    guard shape.rank <= largest else {
      throw refusal(layer, "rank \(shape.rank) is larger than the matrix; at most \(largest)")
    }
    if options.method == .calibrated {
      guard let moments else {
        throw refusal(
          layer,
          "a calibrated factorisation needs tokens; expected a text, token ids, or weights only")
      }
      guard moments.tokens >= shape.rank else {
        throw refusal(
          layer,
          "\(moments.tokens) calibration tokens are too few for rank \(shape.rank); "
            + "expected at least \(shape.rank)")
      }
    }
    func factorised(_ split: RopeSplit) throws -> LatentFactorisation {
      try LatentFactorisation(source: source, split: split, moments: moments, options: options)
    }
    if shape.ropeSlices > 1 {
      return try factorised(
        RopeSplit.perHead(
          scores: pairScores(module, source, moments), rotary: source.rotary,
          ropeWidth: shape.ropeWidth))
    }
    let splits = try sharedSplits(
      source, layer: layer, ropeWidth: shape.ropeWidth, moments: moments,
      open: measure != nil)
    guard splits.count > 1, let measure else { return try factorised(splits[0]) }
    var best: (loss: Double, split: RopeSplit)?
    for split in splits {
      let basis = try factorised(split).basis(rank: nil)
      let loss = try measure(splitModule(basis, module, layout, shape))
      if best.map({ loss < $0.loss }) ?? true { best = (loss, split) }
    }
    return try factorised(best?.split ?? splits[0])
  }

  /// The shared splits to choose from, the exact one or the least folded first.
  private func sharedSplits(
    _ source: GroupedSource, layer: Int, ropeWidth: Int, moments: ProjectionMoments?, open: Bool
  ) throws -> [RopeSplit] {
    let pairs = source.width / 2
    let stockIsPossible = RopeSplit.allowsStock(ropeWidth: ropeWidth, pairs: pairs)
    let stock = options.frequencies.map { $0 == .stock } ?? stockIsPossible
    guard stockIsPossible || !stock else {
      throw refusal(
        layer,
        "stock frequencies need a RoPE slice whose width divides the head's "
          + "\(source.width), not \(ropeWidth)")
    }
    let possible = RopeSplit.folds(ropeWidth: ropeWidth, pairs: pairs, stock: stock)
    let folds: [Int]
    if let fold = options.fold ?? measuredFold {
      guard possible.contains(fold) else {
        throw refusal(
          layer,
          "a fold of \(fold) is not possible; expected "
            + possible.map { "\($0)" }.joined(separator: ", "))
      }
      folds = [fold]
    } else {
      // Past a factor of 16 frequencies are so far apart that no fold is worth its measurement.
      folds = open ? possible.filter { $0 <= 16 * possible[0] } : Array(possible.prefix(1))
    }
    let keys = keyMoments(source, moments)
    return try folds.map {
      try RopeSplit.shared(
        moments: keys, heads: source.heads, rotary: source.rotary, ropeWidth: ropeWidth, fold: $0,
        stock: stock)
    }
  }

  /// Mean of k·kᵀ before RoPE; of the weights where calibration must not be seen.
  private func keyMoments(_ source: GroupedSource, _ moments: ProjectionMoments?) -> DMatrix {
    guard options.method == .calibrated, let moments else {
      let keys = source.weights.prefixRows(source.keyRows)
      return keys.multiplied(by: keys, transposeOther: true)
    }
    let all = source.biasedMoments(moments)
    return all.prefixRows(source.keyRows).prefixColumns(source.keyRows)
  }

  private func pairScores(
    _ module: MultiHeadAttention, _ source: GroupedSource, _ moments: ProjectionMoments?
  ) throws -> DMatrix {
    if options.method == .calibrated, let scores = moments?.pairScores { return scores }
    let half = source.width / 2
    let queries = try DMatrix([module.query])
    let group = queries.rows / source.keyRows
    func norm(_ matrix: DMatrix, _ head: Int, _ pair: Int) -> Double {
      [pair, pair + half].reduce(0.0) { sum, part in
        let first = (head * source.width + part) * matrix.columns
        return sum
          + matrix.values[first..<first + matrix.columns].reduce(0) { $0 + $1 * $1 }
      }.squareRoot()
    }
    var scores = DMatrix(rows: source.heads, columns: half)
    for head in 0..<source.heads {
      for pair in 0..<half {
        let size = (head * group..<(head + 1) * group).reduce(0.0) {
          $0 + norm(queries, $1, pair)
        }
        scores[head, pair] = size * norm(source.weights, head, pair)
      }
    }
    return scores
  }
}
