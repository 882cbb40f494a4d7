/// Rotary position embedding (Su et al., arXiv 2104.09864): pair j of a row is turned by position ×
/// frequency j.
public struct RotaryEmbedding: Sendable, Hashable {
  /// Which elements make a pair.
  public enum Pairing: Sendable, Hashable {
    /// Elements j and j + width/2 (Llama).
    case halfSplit
    /// Elements 2j and 2j + 1 (DeepSeek).
    case interleaved
  }

  /// Radians a position of each pair; slices of one row that turn by different frequencies follow
  /// each other.
  public let frequencies: [Double]
  public let pairing: Pairing
  /// Multiplies every turned row: YaRN's attention factor (arXiv 2309.00071).
  public let magnitude: Float
  /// Where frequencies follow the length of the sequence, how; `frequencies` are those of short
  /// ones then.
  public let growth: Growth?

  /// Frequencies that slow down once a sequence is longer than the model was made for ("dynamic NTK"):
  /// at length n > `positions` the base becomes
  /// θ · (factor·n/positions − (factor − 1))^(width/(width − 2)).
  ///
  /// As in transformers, the length is that of the sequence at the end of a call, and rows keep the
  /// rotation that they were cached with: past `positions`, a prompt read in one call and the same
  /// prompt read in pieces are not the same.
  public struct Growth: Sendable, Hashable {
    /// The base of short sequences.
    public var theta: Double
    public var factor: Double
    /// Longest sequence that keeps the base.
    public var positions: Int

    public init(theta: Double, factor: Double, positions: Int) {
      self.theta = theta
      self.factor = factor
      self.positions = positions
    }
  }

  /// Frequencies θ^(−2j/width) for pairs j of a row of `width` elements.
  public init(width: Int, theta: Double = 10_000, pairing: Pairing = .halfSplit) {
    precondition(width.isMultiple(of: 2), "rotary embedding turns pairs")
    self.init(
      frequencies: (0..<width / 2).map { power(theta, -2 * Double($0) / Double(width)) },
      pairing: pairing)
  }

  /// Given frequencies, one a pair.
  public init(
    frequencies: [Double], pairing: Pairing, magnitude: Float = 1, growth: Growth? = nil
  ) {
    self.frequencies = frequencies
    self.pairing = pairing
    self.magnitude = magnitude
    self.growth = growth
  }

  /// The base in a call at whose end the sequence has `length` tokens; nil where `frequencies` hold.
  func grownBase(length: Int) -> Double? {
    guard let growth, length > growth.positions else { return nil }
    let stretch =
      growth.factor * Double(length) / Double(growth.positions) - (growth.factor - 1)
    return growth.theta * power(stretch, Double(width) / Double(width - 2))
  }

  /// Elements of a rotated row.
  public var width: Int { 2 * frequencies.count }

  /// Turns one row of 2·`pairs` elements in place.
  /// - Parameter table: `[pairs]` (cosine, sine) of the row's position.
  func rotate(
    _ row: UnsafeMutablePointer<Float>, pairs: Int, _ table: UnsafePointer<SIMD2<Float>>
  ) {
    switch pairing {
    case .halfSplit:
      for pair in 0..<pairs {
        let turn = table[pair]
        let (first, second) = (row[pair], row[pair + pairs])
        row[pair] = first * turn.x - second * turn.y
        row[pair + pairs] = second * turn.x + first * turn.y
      }
    case .interleaved:
      for pair in 0..<pairs {
        let turn = table[pair]
        let (first, second) = (row[2 * pair], row[2 * pair + 1])
        row[2 * pair] = first * turn.x - second * turn.y
        row[2 * pair + 1] = second * turn.x + first * turn.y
      }
    }
  }
}
