import CAttentionKernels

/// Integers that are quantised per channel over a group of G tokens (KIVI, arXiv 2402.02750: keys
/// have a few channels with large values, which a scale along the row would spoil for the others).
///
/// A group is quantised once the next one begins; until then its rows are f16. Token j is read
/// quantised by query i exactly when ⌊j/G⌋ < ⌊i/G⌋, so that a cache takes tokens in calls that cross
/// no multiple of G.
public struct PerChannelCodec: KVCodec {
  /// How many bits an element has.
  public enum Width: Sendable, Hashable {
    /// Symmetric: x = s·q.
    case int8
    /// x = s·q + z.
    case int4
  }

  /// How many bits an element has.
  public let width: Width
  /// Tokens a group, G.
  public let groupTokens: Int

  /// Most tokens a group.
  public static let mostTokens = 4_096

  /// A codec with groups of `groupTokens` tokens.
  public init(_ width: Width, groupTokens: Int) {
    precondition(groupTokens > 0 && groupTokens <= Self.mostTokens, "a group has tokens")
    self.width = width
    self.groupTokens = groupTokens
  }

  public var notation: String { "\(keyword):\(groupTokens)" }
  public var summary: String {
    switch width {
    case .int8: "8-bit integers per channel over G tokens with an f16 scale; the last group in f16"
    case .int4:
      "4-bit integers per channel over G tokens with an f16 scale and zero; the last group in f16"
    }
  }
  public var relativeError: Double { width == .int8 ? 1.0 / 254 : 1.0 / 15 }
  public var widthMultiple: Int { width == .int8 ? 1 : 2 }
  public var kernel: CodecKernel { .perChannel(element, tokens: groupTokens) }

  private var keyword: String { width == .int8 ? "int8c" : "int4c" }
  private var element: attn_element { width == .int8 ? ATTN_ELEMENT_INT8C : ATTN_ELEMENT_INT4C }

  /// The registry's entry: `int8c:G` or `int4c:G`.
  static func entry(_ width: Width) -> CodecEntry {
    let sample = PerChannelCodec(width, groupTokens: 8)
    let form = "\(sample.keyword):G"
    return CodecEntry(
      keyword: sample.keyword, form: form, summary: sample.summary, samples: [sample.notation]
    ) { parameters throws(NotationError) in
      let tokens = try AxisParameters.positive(
        parameters ?? "", "a number of tokens G", form: form, limit: mostTokens)
      return PerChannelCodec(width, groupTokens: tokens)
    }
  }
}
