import ZooLinearAlgebra

extension ExpertRouting {
  /// An expert of a token and what its result is multiplied by.
  struct Pick {
    var expert: Int
    var weight: Float
  }

  /// Chooses the experts of one token. Of equal scores the lower index comes first.
  /// - Parameters:
  ///   - scores: `[experts]` of the router; overwritten.
  ///   - ranks: scratch of `experts + groups` elements.
  ///   - picks: `[chosen]`.
  func choose(
    _ scores: UnsafeMutablePointer<Float>, experts: Int, ranks: UnsafeMutablePointer<Float>,
    to picks: UnsafeMutablePointer<Pick>
  ) {
    switch scoring {
    case .softmax: Elementwise.softmax(MutableMatrixView(scores, rows: 1, columns: experts))
    case .sigmoid:
      for expert in 0..<experts { scores[expert] = Elementwise.sigmoid(scores[expert]) }
    case .softmaxOfChosen: break
    }
    for expert in 0..<experts { ranks[expert] = scores[expert] + (correction?[expert] ?? 0) }
    if groups > 1 { limitToGroups(ranks, experts: experts) }
    for index in 0..<chosen {
      let best = Self.greatest(ranks, count: experts)
      picks[index] = Pick(expert: best, weight: scores[best])
      ranks[best] = -.infinity
    }
    weigh(picks)
  }

  private func weigh(_ picks: UnsafeMutablePointer<Pick>) {
    if scoring == .softmaxOfChosen {
      // The first is the greatest.
      let peak = picks[0].weight
      for index in 0..<chosen {
        picks[index].weight = Elementwise.exponential(picks[index].weight - peak)
      }
    }
    if normalises || scoring == .softmaxOfChosen {
      var sum: Float = 0
      for index in 0..<chosen { sum += picks[index].weight }
      // A sum of zero stays zero, as with the smallest addend in the published code.
      let factor = sum > 0 ? 1 / sum : 0
      for index in 0..<chosen { picks[index].weight *= factor }
    }
    if scale != 1 {
      for index in 0..<chosen { picks[index].weight *= scale }
    }
  }

  /// Ranks of experts outside the best groups become −infinity.
  private func limitToGroups(_ ranks: UnsafeMutablePointer<Float>, experts: Int) {
    let size = experts / groups
    let groupRanks = ranks + experts
    for group in 0..<groups {
      let members = ranks + group * size
      let first = Self.greatest(members, count: size)
      var rank = members[first]
      if groupRank == .twoGreatest {
        var second = -Float.infinity
        for index in 0..<size where index != first { second = max(second, members[index]) }
        rank += second
      }
      groupRanks[group] = rank
    }
    for _ in 0..<groupsKept {
      groupRanks[Self.greatest(groupRanks, count: groups)] = .nan
    }
    for group in 0..<groups where !groupRanks[group].isNaN {
      for index in 0..<size { ranks[group * size + index] = -.infinity }
    }
  }

  /// Index of the greatest value, NaN left out; 0 where there is none.
  private static func greatest(_ values: UnsafePointer<Float>, count: Int) -> Int {
    var best = 0
    var peak = -Float.infinity
    for index in 0..<count where values[index] > peak {
      peak = values[index]
      best = index
    }
    return best
  }
}
