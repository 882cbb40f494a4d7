import ZooLinearAlgebra
import ZooMemory
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
    let norm = try source.finalNorm()
    let head = try source.head() ?? Linear(weight: try source.embedding())
    var (own, scores) = (LogitScore(), LogitScore())
    let chunk = EvaluationProtocol.chunk
    let expected = try Matrix(rows: chunk, columns: head.outputs)
    for (segment, ids) in tokens.evaluation.enumerated() {
      own.beginSegment()
      scores.beginSegment()
      // Row r predicts token r + 1.
      let wanted = ids.count - EvaluationProtocol.scored - 1..<ids.count - 1
      for first in stride(from: wanted.lowerBound, to: wanted.upperBound, by: chunk) {
        if stopped() { throw ConversionStopped() }
        let rows = first..<min(first + chunk, wanted.upperBound)
        func logits(_ stream: HiddenStream) throws -> MatrixView {
          let offset = stream.segments[segment].lowerBound
          return try fit.runner.logits(
            stream.view(rows.lowerBound + offset..<rows.upperBound + offset), finalNorm: norm,
            head: head, settings: source.settings)
        }
        func add(_ found: MatrixView, to score: inout LogitScore) {
          for row in 0..<rows.count {
            score.add(
              UnsafeBufferPointer(start: found.row(row), count: found.columns),
              original: UnsafeBufferPointer(
                start: expected.view.row(row), count: found.columns),
              token: Int(ids[rows.lowerBound + row + 1]))
          }
        }
        let reference = try logits(before)
        expected.pointer.update(from: reference.pointer, count: rows.count * head.outputs)
        add(reference, to: &own)
        add(try logits(after), to: &scores)
      }
    }
    return (
      ModelLoss(own, original: own, bytesPerToken: tokens.bytesPerToken),
      ModelLoss(scores, original: own, bytesPerToken: tokens.bytesPerToken)
    )
  }
}
