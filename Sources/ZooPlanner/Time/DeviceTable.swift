/// Published devices. Rates are dense, never with sparsity, and for half formats with float32
/// accumulation. Memory is in binary gigabytes where a source says so and in decimal ones where
/// none says which, so that a plan errs on the small side.
public enum DeviceTable {
  /// Every device, by kind and age.
  public static let all: [Device] = [
    Device(
      name: "A100-40GB SXM", memoryBytes: gibibytes(40), bytesPerSecond: 1555e9,
      peakFLOPsPerSecond: 312e12, source: "NVIDIA A100 datasheet; about 42.4e9 bytes are usable"),
    Device(
      name: "A100-80GB SXM", memoryBytes: gibibytes(80), bytesPerSecond: 2039e9,
      peakFLOPsPerSecond: 312e12, source: "NVIDIA A100 datasheet"),
    Device(
      name: "H100 SXM", memoryBytes: gibibytes(80), bytesPerSecond: 3350e9,
      peakFLOPsPerSecond: 989e12,
      source: "ai-dynamo/aiconfigurator systems/h100_sxm.yaml; stas00/ml-engineering"),
    Device(
      name: "H100 PCIe", memoryBytes: gibibytes(80), bytesPerSecond: 2000e9,
      peakFLOPsPerSecond: 756.5e12,
      source: "ai-dynamo/aiconfigurator systems/h100_pcie.yaml; stas00/ml-engineering"),
    Device(
      name: "H200 SXM", memoryBytes: gibibytes(141), bytesPerSecond: 4800e9,
      peakFLOPsPerSecond: 989e12,
      source: "ai-dynamo/aiconfigurator systems/h200_sxm.yaml; stas00/ml-engineering"),
    Device(
      name: "B200", memoryBytes: gibibytes(180), bytesPerSecond: 7700e9,
      peakFLOPsPerSecond: 2250e12,
      source: "ai-dynamo/aiconfigurator systems/b200_sxm.yaml, citing NVIDIA's datasheet"),
    Device(
      name: "L4", memoryBytes: gibibytes(24), bytesPerSecond: 300e9, peakFLOPsPerSecond: 121e12,
      source: "ai-dynamo/aiconfigurator systems/l4.yaml; lamonoai/gpumap"),
    Device(
      name: "L40S", memoryBytes: gigabytes(48), bytesPerSecond: 864e9,
      peakFLOPsPerSecond: 362.05e12,
      source: "ai-dynamo/aiconfigurator systems/l40s.yaml; 46068 MiB are usable"),
    Device(
      name: "RTX 4090", memoryBytes: gibibytes(24), bytesPerSecond: 1008e9,
      peakFLOPsPerSecond: 165.2e12, source: "lamonoai/gpumap; float32 accumulation"),
    Device(
      name: "RTX 5090", memoryBytes: gigabytes(32), bytesPerSecond: 1792e9,
      peakFLOPsPerSecond: 209.5e12, source: "lamonoai/gpumap; float32 accumulation"),
    Device(
      name: "MI300X", memoryBytes: gigabytes(192), bytesPerSecond: 5300e9,
      peakFLOPsPerSecond: 1307.4e12,
      source: "pytorch torch/_inductor/analysis/device_info.py, citing AMD's data sheet"),
    Device(
      name: "TPU v5e", memoryBytes: gibibytes(16), bytesPerSecond: 819e9,
      peakFLOPsPerSecond: 197e12, source: "docs.cloud.google.com/tpu/docs/v5e"),
    Device(
      name: "TPU v5p", memoryBytes: gibibytes(95), bytesPerSecond: 2765e9,
      peakFLOPsPerSecond: 459e12, source: "docs.cloud.google.com/tpu/docs/v5p"),
    Device(
      name: "Apple M4 Max", memoryBytes: gigabytes(128), bytesPerSecond: 546e9,
      peakFLOPsPerSecond: 18.4e12,
      source: "macrumors.com 2024-10-30; rate third-party, of the 40-core GPU in float32"),
    Device(
      name: "Apple M3 Ultra", memoryBytes: gigabytes(512), bytesPerSecond: 819e9,
      peakFLOPsPerSecond: 28.67e12,
      source: "techpowerup.com; rate third-party, of the 80-core GPU in float32"),
    Device(
      name: "AMD EPYC 9654 2-socket", memoryBytes: nil, bytesPerSecond: 921.6e9,
      peakFLOPsPerSecond: nil,
      source: "Lenovo Press LP1852: 12 channels of DDR5-4800 a socket; no rate found"),
    Device(
      name: "Intel Xeon Platinum 8592+ 2-socket", memoryBytes: nil, bytesPerSecond: 716.8e9,
      peakFLOPsPerSecond: nil,
      source: "smbom.com news 12978: 8 channels of DDR5-5600 a socket; no rate found"),
  ]

  /// The device of a name, whatever its case, with spaces or hyphens.
  /// - Throws: `PlannerError.unknownDevice` with every name.
  public static func device(named name: String) throws(PlannerError) -> Device {
    guard let device = all.first(where: { key($0.name) == key(name) }) else {
      throw .unknownDevice(name, known: all.map(\.name))
    }
    return device
  }

  private static func key(_ name: String) -> String {
    String(name.lowercased().map { " _".contains($0) ? "-" : $0 })
  }

  private static func gibibytes(_ count: Int) -> Int { count << 30 }
  private static func gigabytes(_ count: Int) -> Int { count * 1_000_000_000 }
}
