import AttentionCore

/// Alibaba's Qwen models.
extension ModelPreset {
  static let qwen: [ModelPreset] = [
    ModelPreset(
      geometry: ModelGeometry(
        name: "qwen2.5-7b", layers: 28, hidden: 3_584, queryHeads: 28, keyValueHeads: 4,
        headWidth: 128, mlpWidth: 18_944, vocabulary: 152_064, tiedEmbeddings: false,
        maxPositions: 131_072),
      published: PublishedParameters(about: 7_610_000_000), queryKeyValueBiases: true,
      source: "keras-team/keras-hub qwen_presets.py; model card (7.61B)"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "qwen2.5-72b", layers: 80, hidden: 8_192, queryHeads: 64, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 29_568, vocabulary: 152_064, tiedEmbeddings: false,
        maxPositions: 131_072),
      published: PublishedParameters(exactly: 72_706_203_648), queryKeyValueBiases: true,
      source: "Lightning-AI/litgpt config.py; keras-team/keras-hub qwen_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "qwen3-8b", layers: 36, hidden: 4_096, queryHeads: 32, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 12_288, vocabulary: 151_936, tiedEmbeddings: false,
        maxPositions: 40_960),
      published: PublishedParameters(exactly: 8_190_735_360), queryKeyNorms: true,
      source: "ai-dynamo/aiconfigurator model_configs; keras-team/keras-hub qwen3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "qwen3-32b", layers: 64, hidden: 5_120, queryHeads: 64, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 25_600, vocabulary: 151_936, tiedEmbeddings: false,
        maxPositions: 40_960),
      published: PublishedParameters(exactly: 32_762_123_264), queryKeyNorms: true,
      source: "ai-dynamo/aiconfigurator model_configs; keras-team/keras-hub qwen3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "qwen3-235b-a22b", layers: 94, hidden: 4_096, queryHeads: 64, keyValueHeads: 4,
        headWidth: 128, mlpWidth: 12_288, vocabulary: 151_936, tiedEmbeddings: false,
        maxPositions: 40_960),
      published: PublishedParameters(exactly: 235_093_634_560, active: 22_000_000_000),
      queryKeyNorms: true, experts: ModelExperts(count: 128, active: 8, width: 1_536),
      source: "ai-dynamo/aiconfigurator model_configs; keras-team/keras-hub qwen3_moe_presets.py"),
  ]
}
