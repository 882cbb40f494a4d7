import AttentionCore

/// How wide the latents of a conversion become.
public enum RankRule: Sendable, Hashable {
  /// As the notation says.
  case named
  /// The least rank that keeps this share of the energy, layer by layer; the notation's is the most
  /// that any layer gets.
  case energy(Double)
  /// At most so many cached bytes a token in all layers together, spread where a rank keeps most; the
  /// notation's is the most that any layer gets.
  case keyValueBytes(Int)
}

/// The ranks that one layer may have: `first`, and from there in steps up to `most`.
public struct RankRange: Sendable, Hashable {
  /// Elements of a step where the codec has no wish: for the kernels' sake.
  public static let usualStep = 8

  public var first: Int
  public var step: Int
  public var most: Int

  /// - Precondition: positive numbers, `first` not above `most`.
  public init(first: Int, step: Int, most: Int) {
    precondition(first > 0 && step > 0 && first <= most, "a range of ranks goes upwards")
    self.first = first
    self.step = step
    self.most = most
  }

  /// The next rank, nil past the last. The last step may be shorter.
  func after(_ rank: Int) -> Int? { rank < most ? min(rank + step, most) : nil }
}

/// Spreads ranks over layers.
public enum RankAllocation {
  /// The least rank in a range that keeps a share of the energy.
  /// - Parameter spectrum: energy along each direction, most first.
  public static func rank(
    keeping share: Double, of spectrum: [Double], in range: RankRange
  ) -> Int {
    let wanted = share * spectrum.reduce(0, +)
    var rank = range.first
    var kept = spectrum.prefix(rank).reduce(0, +)
    while kept < wanted, let next = range.after(rank) {
      kept += spectrum.dropFirst(rank).prefix(next - rank).reduce(0, +)
      rank = next
    }
    return rank
  }

  /// Ranks that keep the most energy within a budget of bytes.
  ///
  /// Every layer's energies are taken as shares of its own total, and steps are given one by one to
  /// the layer that gains most by a byte. As energies fall, no other choice of equal steps keeps more.
  /// - Parameters:
  ///   - spectra: energy along each direction, most first, one list a layer.
  ///   - bytes: bytes of a token in a layer with a rank.
  ///   - budget: bytes of a token in all layers.
  /// - Returns: ranks; nil where the budget is too small for the first rank of every layer.
  public static func ranks(
    spectra: [[Double]], ranges: [RankRange], budget: Int,
    bytes: (_ layer: Int, _ rank: Int) -> Int
  ) -> [Int]? {
    var ranks = ranges.map(\.first)
    var left = budget - ranks.enumerated().reduce(0) { $0 + bytes($1.offset, $1.element) }
    guard left >= 0 else { return nil }
    let totals = spectra.map { max($0.reduce(0, +), .leastNormalMagnitude) }
    while true {
      var best: (layer: Int, rank: Int, price: Int, gain: Double)?
      for layer in ranks.indices {
        guard let next = ranges[layer].after(ranks[layer]) else { continue }
        let price = bytes(layer, next) - bytes(layer, ranks[layer])
        guard price <= left else { continue }
        let energy = spectra[layer].dropFirst(ranks[layer]).prefix(next - ranks[layer])
          .reduce(0, +)
        let gain = energy / totals[layer] / Double(max(price, 1))
        if gain > best?.gain ?? -1 { best = (layer, next, price, gain) }
      }
      guard let best else { return ranks }
      left -= best.price
      ranks[best.layer] = best.rank
    }
  }
}
