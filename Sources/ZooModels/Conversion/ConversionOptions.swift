import AttentionCore

/// How grouped attention becomes latent attention. Other targets need no options.
public struct ConversionOptions: Sendable, Hashable {
  /// What the factorisation sees.
  public enum Method: String, Sendable, Hashable, CaseIterable {
    /// Second moments of keys and values over calibration tokens.
    case calibrated
    /// The weights alone, as if every hidden state were equally likely: far worse at equal rank.
    case weightsOnly = "weights-only"
  }

  /// Which frequencies the shared RoPE slice of `mla:R+P` turns by.
  public enum Frequencies: String, Sendable, Hashable, CaseIterable {
    /// Those of a rotary embedding of width P and the source's base, the same in every layer: each
    /// (H/P)-th of the source's. What a stock DeepSeek model can say.
    case stock
    /// Each layer keeps its components of most energy, with frequencies of their own.
    case byEnergy = "by-energy"
  }

  public var method: Method
  /// Share of the mean energy of a hidden element that is added in every direction of the hidden
  /// state, so that directions which calibration never saw are not free.
  public var damping: Double
  /// Neighbouring frequencies that the shared slice treats as equal; nil: measured, layer by layer.
  public var fold: Int?
  /// nil: stock where the source's frequencies allow it.
  public var frequencies: Frequencies?

  public init(
    method: Method = .calibrated, damping: Double = 0.01, fold: Int? = nil,
    frequencies: Frequencies? = nil
  ) {
    self.method = method
    self.damping = damping
    self.fold = fold
    self.frequencies = frequencies
  }
}
