/// A device to hold intensities against.
struct ReferenceDevice: Sendable, Hashable {
  let name: String
  /// Dense bfloat16 peak, TFLOP/s.
  let peakTFLOPPerSecond: Double
  /// Memory bandwidth, TB/s (10¹²).
  let bandwidthTBPerSecond: Double

  /// FLOPs in the time of reading a byte.
  var ridge: Double { peakTFLOPPerSecond / bandwidthTBPerSecond }

  /// NVIDIA's data sheet of the H200.
  static let h200 = ReferenceDevice(
    name: "H200 SXM", peakTFLOPPerSecond: 989, bandwidthTBPerSecond: 4.8)
}
