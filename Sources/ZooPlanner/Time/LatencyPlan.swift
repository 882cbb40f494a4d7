/// A predicted decode step: one token for each of `sequences` sequences.
public struct StepPrediction: Sendable, Hashable {
  /// Sequences decoded together.
  public let sequences: Int
  /// Attention over the caches of all layers, without projections.
  public let attention: Roofline
  /// Everything with weights: projections, MLP, output head.
  public let linear: Roofline

  /// Seconds of the step, which are the seconds between two tokens of one sequence.
  public var seconds: Double { attention.seconds + linear.seconds }
  /// Tokens a second of all sequences together.
  public var tokensPerSecond: Double { Double(sequences) / seconds }
}

/// Predicts decode latency on a device: a lower bound from bytes and FLOPs, never a measurement.
///
/// `step = Σ layers max(B·bytes ÷ BW, B·FLOPs ÷ (peak·e)) + max(2·B·P_active ÷ peak, touched
/// weight bytes ÷ BW)`, e the attend kernel's measured efficiency.
public struct LatencyPlan: Sendable {
  /// The device.
  public let device: Device
  /// The cache.
  public let cache: KVPlan
  /// The weights.
  public let weights: WeightPlan
  /// Share of the device's peak that the attend kernel reaches where arithmetic binds.
  public let efficiency: Double
  /// Intensity from which arithmetic binds, FLOP a byte.
  public let ridge: Double
  private let peak: Double

  /// - Parameter efficiency: over 0 through 1; 1 gives the roofline.
  /// - Throws: `PlannerError` where the device has no peak or a rate is not positive.
  public init(
    device: Device, cache: KVPlan, weights: WeightPlan, efficiency: Double = 1
  ) throws(PlannerError) {
    peak = try device.checkedPeak()
    guard efficiency > 0, efficiency <= 1 else {
      throw .invalid(name: "efficiency", value: "\(efficiency)", expected: "over 0 through 1")
    }
    self.device = device
    self.cache = cache
    self.weights = weights
    self.efficiency = efficiency
    ridge = peak / device.bytesPerSecond
  }

  /// Attention over the caches of all layers, without projections.
  /// - Parameters:
  ///   - context: tokens of each sequence, the current one included.
  ///   - sequences: sequences decoded together.
  /// - Throws: `PlannerError` where a size is out of range.
  public func attention(context: Int, sequences: Int) throws(PlannerError) -> Roofline {
    try device.roofline(
      attending: cache, context: context, sequences: sequences, efficiency: efficiency)
  }

  /// Everything with weights in a decode step.
  /// - Throws: `PlannerError` where the batch is out of range.
  public func linear(sequences: Int) throws(PlannerError) -> Roofline {
    try SizeLimit.check(sequences, "batch", in: 1...SizeLimit.tokens)
    let flops = 2 * Double(sequences) * Double(weights.multipliedPerToken)
    return Roofline(
      parts: [(bytes: weights.touchedBytes(sequences: sequences), flops: flops)],
      bytesPerSecond: device.bytesPerSecond, flopsPerSecond: peak)
  }

  /// A whole decode step.
  /// - Throws: as `attention(context:sequences:)`.
  public func step(context: Int, sequences: Int) throws(PlannerError) -> StepPrediction {
    StepPrediction(
      sequences: sequences, attention: try attention(context: context, sequences: sequences),
      linear: try linear(sequences: sequences))
  }
}
