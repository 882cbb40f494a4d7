/// Why an axis value saves nothing in a case. A row carries its `description`.
public enum NoopReason: Sendable, Hashable, CustomStringConvertible {
  /// The window is at least as long as the context (both in tokens).
  case windowCoversContext(window: Int, context: Int)
  /// Each layer owns its cache: `cla:1`.
  case sharingOfOneLayer
  /// As many key/value heads as query heads: `gqa:N` is `mha`.
  case asManyKVHeadsAsQueryHeads(heads: Int)
  /// A latent row at least as wide as the keys and values it replaces (both in elements).
  case latentNotNarrower(row: Int, replaced: Int)
  /// Any other reason, in words.
  case other(String)

  /// One clause without a full stop.
  public var description: String {
    switch self {
    case .windowCoversContext(let window, let context):
      "the window of \(window) tokens covers the context of \(context)"
    case .sharingOfOneLayer:
      "cla:1 shares nothing: each layer owns its cache"
    case .asManyKVHeadsAsQueryHeads(let heads):
      "gqa:\(heads) keeps a row for each of \(heads) query heads, as mha does"
    case .latentNotNarrower(let row, let replaced):
      "the latent row of \(row) elements is not narrower than the \(replaced) it replaces"
    case .other(let words):
      words
    }
  }
}
