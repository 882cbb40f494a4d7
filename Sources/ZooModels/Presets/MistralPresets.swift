import AttentionCore

/// Models of Mistral AI.
extension ModelPreset {
  static let mistral: [ModelPreset] = [
    ModelPreset(
      geometry: ModelGeometry(
        name: "mistral-7b-v0.1", layers: 32, hidden: 4_096, queryHeads: 32, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 14_336, vocabulary: 32_000, tiedEmbeddings: false,
        maxPositions: 32_768, native: "gqa:8/swa:4096"),
      published: PublishedParameters(exactly: 7_241_732_096),
      source: "mlc-ai/mlc-llm model_preset.py; keras-team/keras-hub mistral_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "mistral-7b-v0.3", layers: 32, hidden: 4_096, queryHeads: 32, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 14_336, vocabulary: 32_768, tiedEmbeddings: false,
        maxPositions: 32_768),
      published: PublishedParameters(exactly: 7_248_023_552),
      source: "mlc-ai/mlc-llm model_preset.py; keras-team/keras-hub mistral_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "mixtral-8x7b", layers: 32, hidden: 4_096, queryHeads: 32, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 14_336, vocabulary: 32_000, tiedEmbeddings: false,
        maxPositions: 32_768),
      published: PublishedParameters(exactly: 46_702_792_704, active: 13_000_000_000),
      experts: ModelExperts(count: 8, active: 2, width: 14_336),
      source: "ai-dynamo/aiconfigurator model_configs; arXiv 2401.04088 (47B total, 13B active)"),
  ]
}
