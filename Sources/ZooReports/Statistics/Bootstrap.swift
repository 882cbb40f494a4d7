/// A ratio of two medians with its 95 % bootstrap interval.
public struct RatioEstimate: Sendable, Hashable {
  /// Median of the numerator ÷ median of the denominator.
  public let ratio: Double
  /// Lower end of the interval.
  public let low: Double
  /// Upper end of the interval.
  public let high: Double
  /// Whether sample i of both was resampled together.
  public let isPaired: Bool

  /// Whether the interval leaves out 1: the two differ.
  public var excludesOne: Bool { low > 1 || high < 1 }

  /// `0.27× [0.26, 0.29]`.
  public var text: String {
    let ends = [low, high].map { NumberText.significant($0) }
    return "\(NumberText.ratio(ratio)) [\(ends[0]), \(ends[1])]"
  }
}

/// Percentile bootstrap of ratios of medians (Efron and Tibshirani, *An Introduction to the
/// Bootstrap*, chapter 13), with a fixed seed: the same samples give the same interval.
public struct Bootstrap: Sendable, Hashable {
  /// Resamples drawn.
  public let resamples: Int
  /// Seed of the draws.
  public let seed: UInt64

  /// Fewest samples of each side; below, an interval would be read for more than it is.
  public static let fewestSamples = 5

  /// A bootstrap of a number of resamples.
  public init(resamples: Int = 2000, seed: UInt64 = 0x5a6f_6f00_4174_746e) {
    self.resamples = max(1, resamples)
    self.seed = seed
  }

  /// The ratio median(`numerator`) ÷ median(`denominator`) with a 95 % interval.
  ///
  /// - Parameters:
  ///   - numerator: Positive finite samples.
  ///   - denominator: Positive finite samples.
  ///   - isPaired: Draw sample i of both together; they were measured in turn. Samples of the one
  ///     side that the other has no partner for are left out, of ratio and interval.
  /// - Returns: `nil` with fewer than ``fewestSamples`` on a side, or samples that are not
  ///   positive.
  public func ratioOfMedians(
    _ numerator: [Double], to denominator: [Double], isPaired: Bool
  ) -> RatioEstimate? {
    guard numerator.count >= Self.fewestSamples, denominator.count >= Self.fewestSamples,
      (numerator + denominator).allSatisfy({ $0 > 0 && $0.isFinite })
    else { return nil }
    let partners = min(numerator.count, denominator.count)
    let numerator = Self.thinned(isPaired ? Array(numerator.prefix(partners)) : numerator)
    let denominator = Self.thinned(isPaired ? Array(denominator.prefix(partners)) : denominator)
    var above = RankedSamples(numerator)
    var below = RankedSamples(denominator)
    var random = SplitMix64(state: seed)
    var ratios: [Double] = []
    ratios.reserveCapacity(resamples)
    for _ in 0..<resamples {
      above.clear()
      below.clear()
      for _ in 0..<above.count {
        let index = random.index(below: above.count)
        above.draw(index)
        if isPaired { below.draw(index) }
      }
      if !isPaired {
        for _ in 0..<below.count { below.draw(random.index(below: below.count)) }
      }
      ratios.append(above.median() / below.median())
    }
    ratios.sort()
    let tail = Int((0.025 * Double(resamples)).rounded(.down))
    return RatioEstimate(
      ratio: Median.of(numerator) / Median.of(denominator), low: ratios[tail],
      high: ratios[resamples - 1 - tail], isPaired: isPaired)
  }
}

extension Bootstrap {
  /// Most samples that are resampled: every n-th of more, in their order. The interval of a median over
  /// so many is far narrower than the machine's drift, and a resample costs what it draws.
  private static let mostSamples = 20_000

  private static func thinned(_ samples: [Double]) -> [Double] {
    guard samples.count > mostSamples else { return samples }
    let step = (samples.count + mostSamples - 1) / mostSamples
    return stride(from: 0, to: samples.count, by: step).map { samples[$0] }
  }
}

/// The middle of a list of numbers.
enum Median {
  /// The median; the mean of the two middle values for an even count. 0 of nothing.
  static func of(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }
}

/// Samples with their ranks, so that the median of a resample costs no sort.
private struct RankedSamples {
  private let sorted: [Double]
  private let rank: [Int]
  private var drawn: [Int]

  var count: Int { sorted.count }

  init(_ samples: [Double]) {
    let order = samples.indices.sorted { (samples[$0], $0) < (samples[$1], $1) }
    sorted = order.map { samples[$0] }
    var rank = Array(repeating: 0, count: samples.count)
    for (place, index) in order.enumerated() { rank[index] = place }
    self.rank = rank
    drawn = Array(repeating: 0, count: samples.count)
  }

  mutating func clear() {
    for index in drawn.indices { drawn[index] = 0 }
  }

  mutating func draw(_ index: Int) { drawn[rank[index]] += 1 }

  func median() -> Double {
    let upper = count / 2
    let lower = count % 2 == 1 ? upper : upper - 1
    var seen = 0
    var low: Double?
    for place in drawn.indices {
      seen += drawn[place]
      if low == nil, seen > lower { low = sorted[place] }
      if seen > upper { return ((low ?? sorted[place]) + sorted[place]) / 2 }
    }
    return sorted[sorted.count - 1]
  }
}

/// SplitMix64 (Steele, Lea and Flood, OOPSLA 2014).
struct SplitMix64: Sendable {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  /// A number in 0 ..< bound, by the high half of a product (bias below 2⁻⁴⁰ here).
  mutating func index(below bound: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }
}
