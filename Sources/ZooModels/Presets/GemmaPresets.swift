import AttentionCore

/// Google's Gemma models: window layers between global ones, four norms a layer. Gemma 3
/// without its vision tower.
extension ModelPreset {
  static let gemma: [ModelPreset] = [
    ModelPreset(
      geometry: ModelGeometry(
        name: "gemma-2-9b", layers: 42, hidden: 3_584, queryHeads: 16, keyValueHeads: 8,
        headWidth: 256, mlpWidth: 14_336, vocabulary: 256_000, tiedEmbeddings: true,
        maxPositions: 8_192, native: "gqa:8/hybrid:1:1:4096"),
      published: PublishedParameters(exactly: 9_241_705_984), normsPerLayer: 4,
      source: "huggingface/transformers convert_gemma2_weights_to_hf.py; keras-hub gemma_presets.py"
    ),
    ModelPreset(
      geometry: ModelGeometry(
        name: "gemma-2-27b", layers: 46, hidden: 4_608, queryHeads: 32, keyValueHeads: 16,
        headWidth: 128, mlpWidth: 36_864, vocabulary: 256_000, tiedEmbeddings: true,
        maxPositions: 8_192, native: "gqa:16/hybrid:1:1:4096"),
      published: PublishedParameters(exactly: 27_227_128_320), normsPerLayer: 4,
      source: "huggingface/transformers convert_gemma2_weights_to_hf.py; keras-hub gemma_presets.py"
    ),
    ModelPreset(
      geometry: ModelGeometry(
        name: "gemma-3-1b", layers: 26, hidden: 1_152, queryHeads: 4, keyValueHeads: 1,
        headWidth: 256, mlpWidth: 6_912, vocabulary: 262_144, tiedEmbeddings: true,
        maxPositions: 32_768, native: "mqa/hybrid:5:1:512"),
      published: PublishedParameters(exactly: 999_885_952), normsPerLayer: 4, queryKeyNorms: true,
      source: "huggingface/transformers convert_gemma3_weights.py; keras-hub gemma3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "gemma-3-4b", layers: 34, hidden: 2_560, queryHeads: 8, keyValueHeads: 4,
        headWidth: 256, mlpWidth: 10_240, vocabulary: 262_144, tiedEmbeddings: true,
        maxPositions: 131_072, native: "gqa:4/hybrid:5:1:1024"),
      published: PublishedParameters(exactly: 3_880_099_328), normsPerLayer: 4, queryKeyNorms: true,
      source:
        "huggingface/transformers convert_gemma3_weights.py; keras-hub gemma3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "gemma-3-12b", layers: 48, hidden: 3_840, queryHeads: 16, keyValueHeads: 8,
        headWidth: 256, mlpWidth: 15_360, vocabulary: 262_144, tiedEmbeddings: true,
        maxPositions: 131_072, native: "gqa:8/hybrid:5:1:1024"),
      published: PublishedParameters(exactly: 11_765_788_416), normsPerLayer: 4,
      queryKeyNorms: true,
      source:
        "huggingface/transformers convert_gemma3_weights.py; keras-hub gemma3_presets.py"),
    ModelPreset(
      geometry: ModelGeometry(
        name: "gemma-3-27b", layers: 62, hidden: 5_376, queryHeads: 32, keyValueHeads: 16,
        headWidth: 128, mlpWidth: 21_504, vocabulary: 262_144, tiedEmbeddings: true,
        maxPositions: 131_072, native: "gqa:16/hybrid:5:1:1024"),
      published: PublishedParameters(exactly: 27_009_002_240), normsPerLayer: 4,
      queryKeyNorms: true,
      source:
        "huggingface/transformers convert_gemma3_weights.py; keras-hub gemma3_presets.py"),
  ]
}
