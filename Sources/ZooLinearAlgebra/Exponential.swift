/// Eight floats at a time: two or more registers on every instruction set, and a fixed order of
/// summation.
typealias Lanes = SIMD8<Float>

extension Lanes {
  /// The eight elements from `pointer` on.
  @inline(__always)
  init(at pointer: UnsafePointer<Float>) {
    self = UnsafeRawPointer(pointer).loadUnaligned(as: Lanes.self)
  }

  @inline(__always)
  func store(to pointer: UnsafeMutablePointer<Float>) {
    UnsafeMutableRawPointer(pointer).storeBytes(of: self, as: Lanes.self)
  }

  /// e to the power of each lane, within 2 units in the last place: 0 below −87.3, infinity above
  /// 88.3, NaN for NaN.
  ///
  /// x = n·ln 2 + r with |r| ≤ ln 2 / 2, e^r by a polynomial (Cephes' `expf`), 2^n by its bits.
  @inline(__always)
  func exponential() -> Lanes {
    let x = self
    // Adding 1.5 · 2^23 leaves the rounded integer in the low bits.
    let shifted = x * 1.442_695_04 + 12_582_912
    let n = shifted - 12_582_912
    let r = x - n * 0.693_359_375 + n * 2.121_944_40e-4
    var p = r * 1.987_569_15e-4 + 1.398_199_95e-3
    p = p * r + 8.333_451_9e-3
    p = p * r + 4.166_579_6e-2
    p = p * r + 1.666_666_55e-1
    p = p * r + 5.000_000_1e-1
    p = p * (r * r) + r + 1
    let bits = unsafeBitCast(shifted, to: SIMD8<Int32>.self) &- (0x4B40_0000 - 127)
    let power = unsafeBitCast(bits &<< 23, to: Lanes.self)
    var result = p * power
    result.replace(with: 0, where: x .< -87.3)
    result.replace(with: .infinity, where: x .> 88.3)
    return result
  }
}

/// e to the power of `x`, the same value as a lane's.
@inline(__always)
func exponential(_ x: Float) -> Float { Lanes(repeating: x).exponential()[0] }
