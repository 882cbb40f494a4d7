import ZooModels

/// What the form of a written folder cost beside the conversion.
public struct ExportRecord: Codable, Sendable {
  /// A fitted norm of one layer.
  public struct Norm: Codable, Sendable {
    /// Mean of the latents' root mean square over the calibration tokens.
    public var meanSize: Double
    /// Standard deviation of that size over its mean.
    public var spread: Double
  }

  /// The latent's rank that layers were factorised to, one less than the written one where a channel
  /// holds the constant.
  public var factorisedVariant: String?
  /// The loss at the written rank, had no channel been given away.
  public var wholeRank: ModelLoss?
  /// One a layer, where norms were fitted.
  public var fittedNorms: [Norm]?
  /// Of the folder with fitted norms; its divergence is from the converted model before them.
  public var biasFree: ModelLoss?

  public init() {}

  /// Takes down fitted norms.
  public mutating func note(_ norms: [FittedNorm]) {
    fittedNorms = norms.map { Norm(meanSize: $0.mean, spread: $0.spread) }
  }
}
