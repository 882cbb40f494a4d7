import AttentionZoo
import Foundation

extension RotaryEmbedding {
  /// The rotation that a configuration asks for.
  /// - Parameters:
  ///   - width: elements that are turned, an even number.
  ///   - maximumPositions: `max_position_embeddings`.
  init(
    _ rope: HFRope, width: Int, maximumPositions: Int, pairing: Pairing = .halfSplit
  ) {
    let plain = (0..<width / 2).map { pow(rope.theta, -2 * Double($0) / Double(width)) }
    let factor = rope.factor ?? 1
    switch rope.type {
    case "linear":
      self.init(frequencies: plain.map { $0 / factor }, pairing: pairing)
    case "dynamic":
      self.init(
        frequencies: plain, pairing: pairing,
        growth: Growth(theta: rope.theta, factor: factor, positions: maximumPositions))
    case "llama3":
      self.init(frequencies: plain.map { rope.llama3(frequency: $0) }, pairing: pairing)
    case "yarn":
      self.init(
        frequencies: rope.yarn(plain, width: width), pairing: pairing,
        magnitude: Float(rope.yarnMagnitude))
    default:
      self.init(frequencies: plain, pairing: pairing)
    }
  }
}

extension HFRope {
  /// Llama 3.1's scaling of one frequency: short wavelengths stay, long ones are slowed down by the
  /// factor, those between are blended.
  fileprivate func llama3(frequency: Double) -> Double {
    guard let factor, let low = lowFrequencyFactor, let high = highFrequencyFactor,
      let positions = originalMaximumPositions
    else { return frequency }
    let wavelength = 2 * Double.pi / frequency
    if wavelength < Double(positions) / high { return frequency }
    if wavelength > Double(positions) / low { return frequency / factor }
    let share = (Double(positions) / wavelength - low) / (high - low)
    return (1 - share) * frequency / factor + share * frequency
  }

  /// YaRN (arXiv 2309.00071): pairs that turn often within the old context stay, those that turn
  /// seldom are slowed down by the factor, those between are blended along a ramp.
  fileprivate func yarn(_ plain: [Double], width: Int) -> [Double] {
    guard let factor, let positions = originalMaximumPositions else { return plain }
    func pair(rotations: Double) -> Double {
      Double(width) * log(Double(positions) / (rotations * 2 * .pi)) / (2 * log(theta))
    }
    var low = pair(rotations: betaFast ?? 32)
    var high = pair(rotations: betaSlow ?? 1)
    if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
    low = max(low, 0)
    high = min(high, Double(width - 1))
    if low == high { high += 0.001 }
    return plain.enumerated().map { index, frequency in
      let ramp = min(max((Double(index) - low) / (high - low), 0), 1)
      return frequency / factor * ramp + frequency * (1 - ramp)
    }
  }

  /// What YaRN multiplies rotated rows by.
  fileprivate var yarnMagnitude: Double {
    if let attentionFactor { return attentionFactor }
    if let mscale, let mscaleAllDimensions {
      return stretch(mscale) / stretch(mscaleAllDimensions)
    }
    return stretch(1)
  }

  /// 0.1·weight·ln(factor) + 1.
  private func stretch(_ weight: Double) -> Double {
    guard let factor, factor > 1 else { return 1 }
    return 0.1 * weight * log(factor) + 1
  }

  /// What DeepSeek multiplies the softmax's scale by, twice.
  var softmaxStretch: Double { mscaleAllDimensions.map { stretch($0) } ?? 1 }
}
