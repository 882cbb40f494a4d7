import AttentionCore
import ZooModels
import ZooPlanner

/// The layouts, weights and caches of presets, by name and notation.
func geometry(_ name: String) throws -> ModelGeometry {
  try ModelPresets.geometry(named: name)
}

func variant(_ notation: String) throws -> Variant { try AxisRegistry.standard.variant(notation) }

func cachePlan(_ name: String, _ notation: String? = nil) throws -> KVPlan {
  let geometry = try geometry(name)
  return try KVPlan(geometry: geometry, variant: variant(notation ?? geometry.native))
}

func weightPlan(_ name: String, _ notation: String? = nil, bits: Int = 16) throws -> WeightPlan {
  let preset = try ModelPresets.preset(named: name)
  return try WeightPlan(
    geometry: preset.geometry, variant: variant(notation ?? preset.geometry.native),
    traits: WeightTraits(preset), bitsPerParameter: bits)
}

extension WeightTraits {
  init(_ preset: ModelPreset) {
    self.init(
      normsPerLayer: preset.normsPerLayer, queryKeyValueBiases: preset.queryKeyValueBiases,
      outputBias: preset.outputBias, queryKeyNorms: preset.queryKeyNorms,
      sinkLogits: preset.sinkLogits, queryRank: preset.queryRank, latentNorm: preset.latentNorm,
      experts: preset.experts.map {
        ExpertTraits(
          count: $0.count, active: $0.active, width: $0.width, shared: $0.shared,
          leadingDenseLayers: $0.leadingDenseLayers, routerBias: $0.routerBias,
          expertBiases: $0.expertBiases)
      })
  }
}

/// A CPU: 50 GB/s and 250 GFLOP/s, a ridge of 5.
let smallMachine = Device(
  measured: "small", memoryBytes: 16 << 30, readBytesPerSecond: 50e9, peakFLOPsPerSecond: 250e9)
