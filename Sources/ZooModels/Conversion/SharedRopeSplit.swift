import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

extension RopeSplit {
  /// One RoPE slice for all heads (TransMLA, arXiv 2502.07864).
  ///
  /// Pairs of `fold` neighbouring frequencies and all K heads are taken together. The eigenvectors
  /// of their covariance, real and imaginary parts as separate samples, are a rotation among them
  /// that commutes with RoPE, exactly for a fold of 1 and as far as the frequencies are equal
  /// otherwise. The components of most energy keep their rotation.
  /// - Parameters:
  ///   - moments: mean of k·kᵀ, [K·H × K·H], of keys before RoPE.
  ///   - ropeWidth: P.
  ///   - stock: whether the slice must turn by each (H/P)-th of the source's frequencies.
  /// - Throws: `LAPACKError`.
  static func shared(
    moments: DMatrix, heads: Int, rotary: RotaryEmbedding, ropeWidth: Int, fold: Int, stock: Bool
  ) throws(LAPACKError) -> RopeSplit {
    let pairs = rotary.frequencies.count
    let kept = ropeWidth / 2
    var candidates: [(component: Component, energy: Double, group: Int)] = []
    for first in stride(from: 0, to: pairs, by: fold) {
      let members = (first..<min(first + fold, pairs)).flatMap { pair in
        (0..<heads).map { (head: $0, pair: pair) }
      }
      var covariance = DMatrix(rows: members.count, columns: members.count)
      for (row, left) in members.enumerated() {
        for (column, right) in members.enumerated() {
          let (a, b) = (left.head * 2 * pairs + left.pair, right.head * 2 * pairs + right.pair)
          covariance[row, column] = moments[a, b] + moments[a + pairs, b + pairs]
        }
      }
      let eigen = try LAPACK.symmetricEigen(covariance)
      for index in members.indices.reversed() {
        let parts = members.enumerated().map { place, member in
          Component.Part(
            head: member.head, pair: member.pair, weight: eigen.vectors[index, place])
        }
        let frequency = parts.reduce(0.0) {
          $0 + $1.weight * $1.weight * rotary.frequencies[$1.pair]
        }
        candidates.append(
          (Component(parts: parts, frequency: frequency), eigen.values[index], first / fold))
      }
    }
    // Descending energy within each group, groups in the order of their frequencies.
    let chosen: Set<Int>
    if stock {
      let perGroup = fold * kept / pairs
      chosen = Set(
        Dictionary(grouping: candidates.indices) { candidates[$0].group }.values
          .flatMap { $0.sorted().prefix(perGroup) })
    } else {
      chosen = Set(
        candidates.indices.sorted {
          (candidates[$1].energy, $0) < (candidates[$0].energy, $1)
        }.prefix(kept))
    }
    var slice = candidates.indices.filter(chosen.contains).map { candidates[$0].component }
    // Fastest first, so that folded components take the stock frequencies nearest to their own.
    slice.sort { $0.frequency > $1.frequency }
    if stock {
      for index in slice.indices {
        slice[index].frequency = rotary.frequencies[index * pairs / kept]
      }
    }
    return RopeSplit(
      pairs: pairs, slices: [slice],
      rest: [candidates.indices.filter { !chosen.contains($0) }.map { candidates[$0].component }],
      nopeElements: Array(repeating: Array(0..<2 * pairs), count: heads), fold: fold,
      isStock: stock)
  }

  /// Whether a slice of `ropeWidth` can turn by each (H/P)-th of the source's frequencies.
  static func allowsStock(ropeWidth: Int, pairs: Int) -> Bool {
    ropeWidth <= 2 * pairs && (2 * pairs).isMultiple(of: ropeWidth)
  }

  /// Folds that a slice can have: a stock slice needs one of its frequencies in every group, any
  /// slice whole groups.
  static func folds(ropeWidth: Int, pairs: Int, stock: Bool) -> [Int] {
    let least = stock ? 2 * pairs / ropeWidth : 1
    return (1...pairs).filter { pairs.isMultiple(of: $0) && $0.isMultiple(of: least) }
  }

  /// A RoPE slice for each key head: its P/2 pairs of highest score, with their own frequencies
  /// (MHA2MLA, arXiv 2502.14837).
  /// - Parameter scores: [K × H/2].
  static func perHead(
    scores: DMatrix, rotary: RotaryEmbedding, ropeWidth: Int
  ) -> RopeSplit {
    let pairs = rotary.frequencies.count
    var slices: [[Component]] = []
    var rest: [[Component]] = []
    var elements: [[Int]] = []
    for head in 0..<scores.rows {
      let order = (0..<pairs).sorted { (scores[head, $1], $0) < (scores[head, $0], $1) }
      func components(_ chosen: [Int]) -> [Component] {
        chosen.map {
          Component(
            parts: [Component.Part(head: head, pair: $0, weight: 1)],
            frequency: rotary.frequencies[$0])
        }
      }
      let lost = order.dropFirst(ropeWidth / 2).sorted()
      slices.append(components(order.prefix(ropeWidth / 2).sorted()))
      rest.append(components(lost))
      elements.append(lost + lost.map { $0 + pairs })
    }
    return RopeSplit(
      pairs: pairs, slices: slices, rest: rest, nopeElements: elements, fold: 1, isStock: false)
  }
}
