import AttentionCore

/// What sets the time of a piece of work.
public enum RooflineBound: String, Sendable, Hashable, Codable {
  /// Moving bytes.
  case bandwidth
  /// Arithmetic.
  case compute
}

/// A piece of work against a device's roofline: no kernel is faster than
/// max(bytes ÷ bandwidth, FLOPs ÷ peak).
public struct Roofline: Sendable, Hashable {
  /// Compulsory bytes from memory.
  public let bytes: Double
  /// FLOPs, a multiply and an add counted as two.
  public let flops: Double
  /// Seconds at the roofline; for several parts one after another, the sum of theirs.
  public let seconds: Double
  /// What sets most of those seconds.
  public let bound: RooflineBound

  /// FLOPs a byte; 0 where nothing is moved.
  public var intensity: Double { bytes > 0 ? flops / bytes : 0 }

  /// Parts that run one after another, each at its own bound.
  init(
    parts: some Sequence<(bytes: Double, flops: Double)>, bytesPerSecond: Double,
    flopsPerSecond: Double
  ) {
    var total = (bytes: 0.0, flops: 0.0)
    var moving = 0.0
    var computing = 0.0
    for part in parts {
      total.bytes += part.bytes
      total.flops += part.flops
      let move = part.bytes / bytesPerSecond
      let compute = part.flops / flopsPerSecond
      if compute > move { computing += compute } else { moving += move }
    }
    (bytes, flops, seconds) = (total.bytes, total.flops, moving + computing)
    bound = computing > moving ? .compute : .bandwidth
  }
}

extension Device {
  /// Attention alone in one decode step: reading every layer's rows, those of an owner once more
  /// for each sharer, and attending them, latent attention absorbed.
  /// - Parameters:
  ///   - cache: the layers.
  ///   - contexts: tokens of each sequence, the current one included.
  ///   - efficiency: share of the peak that the attend kernel reaches, over 0 through 1; 1 gives
  ///     the roofline.
  /// - Throws: `PlannerError` where the device has no peak or a size is out of range.
  public func roofline(
    attending cache: KVPlan, contexts: [Int], efficiency: Double = 1
  ) throws(PlannerError) -> Roofline {
    try roofline(
      attending: cache, groups: contexts.map { (context: $0, sequences: 1) },
      efficiency: efficiency)
  }

  /// Attention alone in one decode step of sequences of one length.
  /// - Throws: as `roofline(attending:contexts:efficiency:)`.
  public func roofline(
    attending cache: KVPlan, context: Int, sequences: Int, efficiency: Double = 1
  ) throws(PlannerError) -> Roofline {
    try roofline(
      attending: cache, groups: [(context: context, sequences: sequences)], efficiency: efficiency)
  }

  private func roofline(
    attending cache: KVPlan, groups: [(context: Int, sequences: Int)], efficiency: Double
  ) throws(PlannerError) -> Roofline {
    guard efficiency > 0, efficiency <= 1 else {
      throw .invalid(name: "efficiency", value: "\(efficiency)", expected: "over 0 through 1")
    }
    for group in groups {
      try SizeLimit.check(group.sequences, "batch", in: 1...SizeLimit.tokens)
      // Checks the products of every layer.
      _ = try cache.readBytesPerStep(context: group.context)
      _ = try cache.attendFLOPs(context: group.context)
    }
    let peak = try checkedPeak()
    return Roofline(
      parts: cache.layouts.map { layout in
        var part = (bytes: 0.0, flops: 0.0)
        for (context, sequences) in groups {
          part.bytes += Double(sequences) * Double(layout.readBytes(context: context))
          part.flops += Double(sequences) * Double(layout.attendFLOPs(context: context))
        }
        return part
      }, bytesPerSecond: bytesPerSecond, flopsPerSecond: peak * efficiency)
  }

  /// The peak, once both rates are known to be positive.
  func checkedPeak() throws(PlannerError) -> Double {
    guard let peak = peakFLOPsPerSecond else { throw .missingPeak(device: name) }
    for (value, what) in [(bytesPerSecond, "bandwidth"), (peak, "peak")] {
      guard value > 0, value.isFinite else {
        throw .invalid(name: "\(what) of \(name)", value: "\(value)", expected: "a positive rate")
      }
    }
    return peak
  }
}
