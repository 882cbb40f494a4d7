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

  /// Frequencies θ^(−2j/width) for pairs j of a row of `width` elements.
  public init(width: Int, theta: Double = 10_000, pairing: Pairing = .halfSplit) {
    precondition(width.isMultiple(of: 2), "rotary embedding turns pairs")
    self.init(
      frequencies: (0..<width / 2).map { power(theta, -2 * Double($0) / Double(width)) },
      pairing: pairing)
  }

  /// Given frequencies, one a pair.
  public init(frequencies: [Double], pairing: Pairing) {
    self.frequencies = frequencies
    self.pairing = pairing
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
