/// A model architecture of Hugging Face that this package reads. Adding one is adding a value here and
/// naming it in ``known``.
public struct HFArchitecture: Hashable, Sendable {
  /// The class name in `architectures`.
  public let name: String
  /// The `model_type`.
  public let modelType: String
  /// Whether `sliding_window` means something; where not, it is ignored, as transformers does.
  public let hasSlidingWindow: Bool
  /// `sliding_window` where the key is absent (an explicit null is none).
  public let defaultSlidingWindow: Int?
  /// `max_position_embeddings` where the key is absent.
  public let defaultMaximumPositions: Int

  /// Llama, and what follows its layout.
  public static let llama = HFArchitecture(
    name: "LlamaForCausalLM", modelType: "llama", hasSlidingWindow: false,
    defaultSlidingWindow: nil, defaultMaximumPositions: 2_048)

  /// Mistral: Llama with an optional window of the same width in every layer.
  public static let mistral = HFArchitecture(
    name: "MistralForCausalLM", modelType: "mistral", hasSlidingWindow: true,
    defaultSlidingWindow: 4_096, defaultMaximumPositions: 131_072)

  /// Every architecture that is read.
  public static let known: [HFArchitecture] = [.llama, .mistral]
}
