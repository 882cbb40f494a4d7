import AttentionCore

/// gpt-oss (windows on every other layer, learned sink logits), Hunyuan-Large (shared layers),
/// Phi-3 and SmolLM2.
extension ModelPreset {
  static let other: [ModelPreset] = [
    ModelPreset(
      geometry: ModelGeometry(
        name: "gpt-oss-20b", layers: 24, hidden: 2_880, queryHeads: 64, keyValueHeads: 8,
        headWidth: 64, mlpWidth: 2_880, vocabulary: 201_088, tiedEmbeddings: false,
        maxPositions: 131_072, native: "gqa:8/hybrid:1:1:128"),
      published: PublishedParameters(exactly: 20_914_757_184, active: 3_600_000_000),
      queryKeyValueBiases: true, outputBias: true, sinkLogits: true,
      experts: ModelExperts(
        count: 32, active: 4, width: 2_880, routerBias: true, expertBiases: true),
      source: "ai-dynamo/aiconfigurator model_configs; OpenAI model card; 3.6B active"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "gpt-oss-120b", layers: 36, hidden: 2_880, queryHeads: 64, keyValueHeads: 8,
        headWidth: 64, mlpWidth: 2_880, vocabulary: 201_088, tiedEmbeddings: false,
        maxPositions: 131_072, native: "gqa:8/hybrid:1:1:128"),
      published: PublishedParameters(exactly: 116_829_156_672, active: 5_100_000_000),
      queryKeyValueBiases: true, outputBias: true, sinkLogits: true,
      experts: ModelExperts(
        count: 128, active: 4, width: 2_880, routerBias: true, expertBiases: true),
      source: "ai-dynamo/aiconfigurator model_configs; llama.cpp discussion 16578; 5.1B active"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "hunyuan-large", layers: 64, hidden: 6_400, queryHeads: 80, keyValueHeads: 8,
        headWidth: 80, mlpWidth: 18_304, vocabulary: 129_024, tiedEmbeddings: true,
        maxPositions: 131_072, native: "gqa:8/cla:2"),
      published: PublishedParameters(about: 389_000_000_000, active: 52_000_000_000),
      queryKeyNorms: true, experts: ModelExperts(count: 16, active: 1, width: 18_304, shared: 1),
      source:
        "Tencent/Tencent-Hunyuan-Large README; ml-explore/mlx-lm hunyuan.py; second-hand config"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "phi-3-mini-4k", layers: 32, hidden: 3_072, queryHeads: 32, keyValueHeads: 32,
        headWidth: 96, mlpWidth: 8_192, vocabulary: 32_064, tiedEmbeddings: false,
        maxPositions: 4_096, native: "mha/swa:2047"),
      published: PublishedParameters(exactly: 3_821_079_552),
      source: "mlc-ai/mlc-llm model_preset.py; keras-team/keras-hub phi3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "smollm2-135m", layers: 30, hidden: 576, queryHeads: 9, keyValueHeads: 3,
        headWidth: 64, mlpWidth: 1_536, vocabulary: 49_152, tiedEmbeddings: true,
        maxPositions: 8_192),
      published: PublishedParameters(exactly: 134_515_008),
      source: "mlc-ai/mlc-llm model_preset.py; Lightning-AI/litgpt config.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "smollm2-1.7b", layers: 24, hidden: 2_048, queryHeads: 32, keyValueHeads: 32,
        headWidth: 64, mlpWidth: 8_192, vocabulary: 49_152, tiedEmbeddings: true,
        maxPositions: 8_192),
      published: PublishedParameters(exactly: 1_711_376_384),
      source: "mlc-ai/mlc-llm model_preset.py; Lightning-AI/litgpt config.py"),
  ]
}
