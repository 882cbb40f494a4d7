import AttentionZoo

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Which rotations a published architecture can express: the frequencies of its configuration, in
/// their order, and nothing else. A conversion that keeps other frequencies runs here and cannot be
/// exported.
///
/// Plain RoPE of width P turns pair j by θ^(−2j/P). A model of head width H has θ^(−2j/H), so that
/// these choices of P/2 of its pairs are expressible: every (H/P)-th from the first, with the same θ,
/// and then with a scaling of the llama3 or linear type, too, which acts on each frequency by itself;
/// the pairs 0, s, 2s, …, with θ^(sP/H) in place of θ. Several components of one frequency are not.
public enum StockRotary {
  /// Largest relative difference of a frequency that counts as rounding.
  public static let tolerance = 1e-6

  /// The frequencies of plain RoPE with base `theta` on `width` elements, fastest first.
  public static func frequencies(theta: Double, width: Int) -> [Double] {
    RotaryEmbedding(width: width, theta: theta).frequencies
  }

  /// Whether `frequencies`, in any order, are those of plain RoPE with base `theta` on `width`
  /// elements.
  public static func fits(frequencies: [Double], theta: Double, width: Int) -> Bool {
    order(of: frequencies, as: Self.frequencies(theta: theta, width: width)) != nil
  }

  /// Which of `frequencies` stands at each place of `wanted`; nil where they are not the same.
  public static func order(of frequencies: [Double], as wanted: [Double]) -> [Int]? {
    guard frequencies.count == wanted.count else { return nil }
    // Both by size: stable, so that equal frequencies keep their order.
    let own = frequencies.indices.sorted {
      (frequencies[$1], $0) < (frequencies[$0], $1)
    }
    let places = wanted.indices.sorted { (wanted[$1], $0) < (wanted[$0], $1) }
    var result = [Int](repeating: 0, count: wanted.count)
    for (pair, place) in zip(own, places) {
      guard abs(frequencies[pair] - wanted[place]) <= tolerance * wanted[place] else { return nil }
      result[place] = pair
    }
    return result
  }

  /// The base with which plain RoPE has `frequencies`, in any order; nil where no base does.
  /// - Parameter theta: taken where it fits, so that a source's base stays as it was written.
  public static func theta(of frequencies: [Double], preferring theta: Double) -> Double? {
    let width = 2 * frequencies.count
    if fits(frequencies: frequencies, theta: theta, width: width) { return theta }
    guard let slowest = frequencies.min(), slowest > 0, frequencies.count > 1 else { return nil }
    // θ^(−2(n−1)/2n) is the slowest of n.
    let count = Double(frequencies.count)
    let base = pow(slowest, -count / (count - 1))
    return fits(frequencies: frequencies, theta: base, width: width) ? base : nil
  }

  /// The RoPE of a configuration of width 2 · `frequencies` that has them, in any order; nil where
  /// none has. That of the source where it fits, so that its base and scaling stay.
  static func rope(of frequencies: [Double], source: HFConfig) -> HFRope? {
    let width = 2 * frequencies.count
    let scaled = RotaryEmbedding(
      source.rope, width: width, maximumPositions: source.maximumPositions)
    if scaled.growth == nil, order(of: frequencies, as: scaled.frequencies) != nil {
      return source.rope
    }
    return theta(of: frequencies, preferring: source.rope.theta).map { HFRope(theta: $0) }
  }
}
