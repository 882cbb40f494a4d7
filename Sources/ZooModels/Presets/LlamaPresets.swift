import AttentionCore

/// Meta's Llama models.
extension ModelPreset {
  static let llama: [ModelPreset] = [
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-2-7b", layers: 32, hidden: 4_096, queryHeads: 32, keyValueHeads: 32,
        headWidth: 128, mlpWidth: 11_008, vocabulary: 32_000, tiedEmbeddings: false,
        maxPositions: 4_096),
      published: PublishedParameters(exactly: 6_738_415_616),
      source: "keras-team/keras-hub llama_presets.py; Lightning-AI/litgpt config.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-2-70b", layers: 80, hidden: 8_192, queryHeads: 64, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 28_672, vocabulary: 32_000, tiedEmbeddings: false,
        maxPositions: 4_096),
      published: PublishedParameters(exactly: 68_976_648_192),
      source: "Lightning-AI/litgpt config.py; config.json of a fine-tune"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-3.1-8b", layers: 32, hidden: 4_096, queryHeads: 32, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 14_336, vocabulary: 128_256, tiedEmbeddings: false,
        maxPositions: 131_072),
      published: PublishedParameters(exactly: 8_030_261_248),
      source: "ai-dynamo/aiconfigurator model_configs; keras-team/keras-hub llama3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-3.1-70b", layers: 80, hidden: 8_192, queryHeads: 64, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 28_672, vocabulary: 128_256, tiedEmbeddings: false,
        maxPositions: 131_072),
      published: PublishedParameters(exactly: 70_553_706_496),
      source: "ai-dynamo/aiconfigurator model_configs"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-3.1-405b", layers: 126, hidden: 16_384, queryHeads: 128, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 53_248, vocabulary: 128_256, tiedEmbeddings: false,
        maxPositions: 131_072),
      published: PublishedParameters(exactly: 405_853_388_800),
      source: "ai-dynamo/aiconfigurator model_configs"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-3.2-1b", layers: 16, hidden: 2_048, queryHeads: 32, keyValueHeads: 8,
        headWidth: 64, mlpWidth: 8_192, vocabulary: 128_256, tiedEmbeddings: true,
        maxPositions: 131_072),
      published: PublishedParameters(about: 1_230_000_000),
      source: "mlc-ai/mlc-llm model_preset.py; MODEL_CARD.md of meta-llama/llama-models (1.23B)"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "llama-3.2-3b", layers: 28, hidden: 3_072, queryHeads: 24, keyValueHeads: 8,
        headWidth: 128, mlpWidth: 8_192, vocabulary: 128_256, tiedEmbeddings: true,
        maxPositions: 131_072),
      published: PublishedParameters(about: 3_210_000_000),
      source: "mlc-ai/mlc-llm model_preset.py; MODEL_CARD.md of meta-llama/llama-models (3.21B)"),
  ]
}
