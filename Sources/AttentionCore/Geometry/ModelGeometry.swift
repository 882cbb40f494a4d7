/// The sizes of a decoder that its attention and its weights depend on.
public struct ModelGeometry: Sendable, Hashable {
  /// What the model is called in lists and result rows.
  public var name: String
  /// Decoder layers (L).
  public var layers: Int
  /// Width of the hidden state (D).
  public var hidden: Int
  /// Query heads (N).
  public var queryHeads: Int
  /// Key/value heads of the model as published (K).
  public var keyValueHeads: Int
  /// Width of a head (H). Not hidden ÷ heads in many models.
  public var headWidth: Int
  /// Width of the MLP (F).
  public var mlpWidth: Int
  /// Vocabulary (V).
  public var vocabulary: Int
  /// Whether the output head is the embedding.
  public var tiedEmbeddings: Bool
  /// Longest context that the model was made for, tokens.
  public var maxPositions: Int
  /// The model's own variant, in the notation.
  public var native: String
  /// Widths of a latent-attention model's heads, where a checkpoint states them.
  public var latentHeads: LatentHeadWidths?

  public init(
    name: String, layers: Int, hidden: Int, queryHeads: Int, keyValueHeads: Int, headWidth: Int,
    mlpWidth: Int, vocabulary: Int, tiedEmbeddings: Bool, maxPositions: Int, native: String? = nil,
    latentHeads: LatentHeadWidths? = nil
  ) {
    self.name = name
    self.layers = layers
    self.hidden = hidden
    self.queryHeads = queryHeads
    self.keyValueHeads = keyValueHeads
    self.headWidth = headWidth
    self.mlpWidth = mlpWidth
    self.vocabulary = vocabulary
    self.tiedEmbeddings = tiedEmbeddings
    self.maxPositions = maxPositions
    self.native =
      native
      ?? (keyValueHeads == queryHeads
        ? "mha" : keyValueHeads == 1 ? "mqa" : "gqa:\(keyValueHeads)")
    self.latentHeads = latentHeads
  }
}

extension ModelGeometry {
  /// The most layers that a geometry or a list of layers may have.
  public static let mostLayers = 10_000

  /// The most query heads that a geometry may have.
  public static let mostHeads = 4_096

  /// Refuses sizes of attention that no model has and that arithmetic could not hold.
  func checkAttention() throws(NotationError) {
    var sizes = [
      ("layers", layers, Self.mostLayers), ("query heads", queryHeads, Self.mostHeads),
      ("elements of a head", headWidth, AxisParameters.widest),
    ]
    if let latentHeads {
      sizes += [
        ("position-free elements of a head", latentHeads.nope, AxisParameters.widest),
        ("rotated elements of a head", latentHeads.rope, AxisParameters.widest),
        ("elements of a value head", latentHeads.value, AxisParameters.widest),
      ]
    }
    for (what, size, most) in sizes where size < 1 || size > most {
      throw NotationError(
        notation: name, reason: "\(size) \(what); expected a number from 1 to \(most)")
    }
  }
}

/// Widths of one head of a latent-attention model, elements: the position-free part of query and
/// key (d_n), the rotated part (d_r) and the value (d_v).
public struct LatentHeadWidths: Sendable, Hashable {
  public var nope: Int
  public var rope: Int
  public var value: Int

  public init(nope: Int, rope: Int, value: Int) {
    self.nope = nope
    self.rope = rope
    self.value = value
  }
}
