/// xoshiro256++ (Blackman and Vigna, 2019), seeded through SplitMix64: the same seed gives the same
/// numbers on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  /// A generator for `seed`; `stream` makes independent ones from the same seed, one a tensor say.
  public init(seed: UInt64, stream: UInt64 = 0) {
    var mixer = seed &+ stream &* 0xD134_2543_DE82_EF95
    func next() -> UInt64 {
      mixer &+= 0x9E37_79B9_7F4A_7C15
      var word = mixer
      word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
      word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
      return word ^ (word >> 31)
    }
    state = (next(), next(), next(), next())
  }

  public mutating func next() -> UInt64 {
    func rotate(_ word: UInt64, _ bits: UInt64) -> UInt64 { (word << bits) | (word >> (64 - bits)) }
    let result = rotate(state.0 &+ state.3, 23) &+ state.0
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = rotate(state.3, 45)
    return result
  }

  /// Uniform in 0 ..< 1, 24 bits.
  public mutating func nextUnit() -> Float {
    Float(next() >> 40) * 0x1p-24
  }

  /// Fills with values uniform in −√3·`deviation` … √3·`deviation` (standard deviation
  /// `deviation`), two a random word.
  public mutating func fill(_ values: UnsafeMutablePointer<Float>, count: Int, deviation: Float) {
    let spread = 2 * deviation * Float(3).squareRoot()
    func centred(_ bits: UInt64) -> Float { (Float(bits & 0xFF_FFFF) * 0x1p-24 - 0.5) * spread }
    var index = 0
    while index + 1 < count {
      let word = next()
      values[index] = centred(word)
      values[index + 1] = centred(word >> 32)
      index += 2
    }
    if index < count { values[index] = centred(next()) }
  }
}
