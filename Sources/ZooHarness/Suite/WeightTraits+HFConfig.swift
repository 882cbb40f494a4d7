import ZooModels
import ZooPlanner

extension WeightTraits {
  /// What the weights of a Hugging Face configuration have beyond a Llama's.
  public init(_ config: HFConfig) {
    let architecture = config.architecture
    let isLatent = architecture.isLatent
    self.init(
      normsPerLayer: architecture.isGemma ? 4 : 2,
      queryKeyValueBiases: config.hasAttentionBias && !isLatent,
      outputBias: config.hasOutputBias, queryKeyNorms: architecture.hasQueryKeyNorms,
      sinkLogits: architecture.hasSinkLogits,
      queryRank: isLatent ? config.queryLatentRank : nil, latentNorm: isLatent,
      latentBiases: config.hasAttentionBias && isLatent, mlpBiases: config.hasMLPBias,
      experts: config.mixture.map { ExpertTraits($0, architecture) })
  }
}

extension ExpertTraits {
  fileprivate init(_ mixture: HFMixture, _ architecture: HFArchitecture) {
    let kind = architecture.mixture
    self.init(
      count: mixture.expertCount, active: mixture.expertsPerToken, width: mixture.width,
      shared: mixture.sharedWidth == nil ? 0 : 1, leadingDenseLayers: mixture.leadingDenseLayers,
      routerBias: kind == .gptOSS || kind == .deepseekV3, expertBiases: kind == .gptOSS,
      sharedWidth: mixture.sharedWidth, sharedGate: kind == .qwen2,
      sparseStep: mixture.sparseStep, denseLayers: mixture.denseLayers)
  }
}
