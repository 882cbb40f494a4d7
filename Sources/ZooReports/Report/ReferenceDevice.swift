/// A device to hold intensities against.
struct ReferenceDevice: Sendable, Hashable {
  let name: String
  /// Dense bfloat16 peak, TFLOP/s.
  let peakTFLOPPerSecond: Double
  /// Memory bandwidth, TB/s (10¹²).
  let bandwidthTBPerSecond: Double

  /// FLOPs in the time of reading a byte.
  var ridge: Double { peakTFLOPPerSecond / bandwidthTBPerSecond }

  /// NVIDIA's data sheet of the H200 SXM (989 TFLOP/s is bfloat16 without sparsity):
  /// <https://www.nvidia.com/en-us/data-center/h200/>. The planner has the device too, which reports
  /// do not import.
  static let h200 = ReferenceDevice(
    name: "H200 SXM", peakTFLOPPerSecond: 989, bandwidthTBPerSecond: 4.8)
}
