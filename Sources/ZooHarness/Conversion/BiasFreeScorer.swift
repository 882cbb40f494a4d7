import ZooModels

/// What fitted norms in the place of a constant channel lose: logits of a bias-free export against
/// those of the converted model before it, by the evaluation protocol.
public struct BiasFreeScorer {
  private let fit: BiasFreeFit
  private let tokens: ConversionTokens

  /// - Parameters:
  ///   - fit: after its last layer.
  ///   - tokens: those whose evaluation segments the fit was given.
  public init(fit: BiasFreeFit, tokens: ConversionTokens) {
    self.fit = fit
    self.tokens = tokens
  }

  /// - Parameter source: final norm and head are read from it.
  /// - Returns: the converted model's own loss and that of the export, whose divergence is from the
  ///   converted model; nil without evaluation tokens.
  /// - Throws: what the source throws; `OutOfMemory`, `ConversionStopped`.
  public func losses(
    source: any LayerSource, stopped: () -> Bool = { false }
  ) throws -> (reference: ModelLoss, fitted: ModelLoss)? {
    guard let before = fit.reference, let after = fit.fitted else { return nil }
    let scorer = StreamScorer(
      runner: fit.runner, source: source, evaluation: tokens.evaluation)
    let scores = try scorer.scores(of: [after], against: before, stopped: stopped)
    func loss(_ score: LogitScore) -> ModelLoss {
      ModelLoss(score, original: scores.reference, bytesPerToken: tokens.bytesPerToken)
    }
    return (loss(scores.reference), loss(scores.streams[0]))
  }
}
