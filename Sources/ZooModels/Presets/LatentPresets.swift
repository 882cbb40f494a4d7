import AttentionCore

/// Models with latent attention: DeepSeek, Kimi K2 and MiniCPM3. The geometry's head width is the
/// position-free one; the RoPE part comes on top.
extension ModelPreset {
  static let latent: [ModelPreset] = [
    ModelPreset(
      geometry: ModelGeometry(
        name: "deepseek-v2-lite", layers: 27, hidden: 2_048, queryHeads: 16, keyValueHeads: 16,
        headWidth: 128, mlpWidth: 10_944, vocabulary: 102_400, tiedEmbeddings: false,
        maxPositions: 163_840, native: "mla:512+64",
        latentHeads: LatentHeadWidths(nope: 128, rope: 64, value: 128)),
      published: PublishedParameters(exactly: 15_706_484_224, active: 2_400_000_000),
      latentNorm: true,
      experts: ModelExperts(count: 64, active: 6, width: 1_408, shared: 2, leadingDenseLayers: 1),
      source: "deepseek-ai/DeepSeek-V3 config_16B.json; README of DeepSeek-V2 (2.4B active)"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "deepseek-v2", layers: 60, hidden: 5_120, queryHeads: 128, keyValueHeads: 128,
        headWidth: 128, mlpWidth: 12_288, vocabulary: 102_400, tiedEmbeddings: false,
        maxPositions: 163_840, native: "mla:512+64",
        latentHeads: LatentHeadWidths(nope: 128, rope: 64, value: 128)),
      published: PublishedParameters(exactly: 235_741_434_880, active: 21_000_000_000),
      queryRank: 1_536, latentNorm: true,
      experts: ModelExperts(count: 160, active: 6, width: 1_536, shared: 2, leadingDenseLayers: 1),
      source: "deepseek-ai/DeepSeek-V3 config_236B.json; README of DeepSeek-V2 (21B active)"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "deepseek-v3", layers: 61, hidden: 7_168, queryHeads: 128, keyValueHeads: 128,
        headWidth: 128, mlpWidth: 18_432, vocabulary: 129_280, tiedEmbeddings: false,
        maxPositions: 163_840, native: "mla:512+64",
        latentHeads: LatentHeadWidths(nope: 128, rope: 64, value: 128)),
      published: PublishedParameters(exactly: 671_026_419_200, active: 37_000_000_000),
      queryRank: 1_536, latentNorm: true,
      experts: ModelExperts(
        count: 256, active: 8, width: 2_048, shared: 1, leadingDenseLayers: 3, routerBias: true),
      source: "deepseek-ai/DeepSeek-V3 config_671B.json and README (37B active); no MTP layer"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "kimi-k2", layers: 61, hidden: 7_168, queryHeads: 64, keyValueHeads: 64,
        headWidth: 128, mlpWidth: 18_432, vocabulary: 163_840, tiedEmbeddings: false,
        maxPositions: 131_072, native: "mla:512+64",
        latentHeads: LatentHeadWidths(nope: 128, rope: 64, value: 128)),
      published: PublishedParameters(exactly: 1_026_408_232_448, active: 32_000_000_000),
      queryRank: 1_536, latentNorm: true,
      experts: ModelExperts(
        count: 384, active: 8, width: 2_048, shared: 1, leadingDenseLayers: 1, routerBias: true),
      source: "ai-dynamo/aiconfigurator model_configs; MoonshotAI/Kimi-K2 README (32B active)"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "minicpm3-4b", layers: 62, hidden: 2_560, queryHeads: 40, keyValueHeads: 40,
        headWidth: 64, mlpWidth: 6_400, vocabulary: 73_448, tiedEmbeddings: true,
        maxPositions: 32_768, native: "mla:256+32",
        latentHeads: LatentHeadWidths(nope: 64, rope: 32, value: 64)),
      published: PublishedParameters(about: 4_070_000_000), queryRank: 768, latentNorm: true,
      source: "huggingface.co/openbmb/MiniCPM3-4B config.json and its GGUF page (4.07B)"),
  ]
}
