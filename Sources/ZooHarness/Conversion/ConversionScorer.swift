import Foundation
import ZooModels

/// What a converted model's logits say beside the original's, by the evaluation protocol.
public struct ModelLoss: Codable, Sendable, Hashable {
  /// −ln p of the scored tokens, mean.
  public var natsPerToken: Double
  /// Where the bytes of a token are known.
  public var bitsPerByte: Double?
  /// Mean and 99th percentile of KL(original ‖ converted) over the full vocabulary, nats.
  public var meanKL: Double
  public var p99KL: Double
  /// Share of the positions where both find the same token most likely.
  public var top1Agreement: Double
  /// 95 % interval of the difference to the original, bits per byte (nats per token where bytes are
  /// not known), by bootstrap over segments, paired; nil for a single segment.
  public var change: [Double]?
  /// Nats a token of each segment, in their order: what paired comparisons are made from.
  public var segmentNats: [Double]

  init(_ score: LogitScore, original: LogitScore, bytesPerToken: Double?) {
    let nats = score.natsPerToken
    let unit = bytesPerToken.map { 1 / (log(2.0) * $0) }
    natsPerToken = nats
    bitsPerByte = unit.map { nats * $0 }
    meanKL = score.meanDivergence
    p99KL = score.p99Divergence
    top1Agreement = score.agreement
    segmentNats = score.segmentNats.map { $0 / Double(EvaluationProtocol.scored) }
    let differences = zip(score.segmentNats, original.segmentNats).map {
      ($0 - $1) / Double(EvaluationProtocol.scored) * (unit ?? 1)
    }
    change = SegmentBootstrap.interval(ofMean: differences).map { [$0.low, $0.high] }
  }

  /// 95 % interval of how many nats a token this loss lies above another, paired by segments; nil for a
  /// single segment.
  public func excess(over other: ModelLoss) -> (low: Double, high: Double)? {
    SegmentBootstrap.interval(ofMean: zip(segmentNats, other.segmentNats).map { $0 - $1 })
  }
}

/// Scores what became of a model under every goal of a conversion.
struct ConversionScorer {
  /// Losses of one goal.
  struct Losses {
    var reduced: ModelLoss
    var split: ModelLoss?
  }

  let conversion: LayerwiseConversion
  let tokens: ConversionTokens

  /// - Returns: the original's own loss and those of every goal; nil without evaluation tokens.
  /// - Throws: what the source throws; `OutOfMemory`, `ConversionStopped`.
  func losses(stopped: () -> Bool) throws -> (original: ModelLoss, goals: [Losses])? {
    guard let original = conversion.original else { return nil }
    let goals = conversion.streams.compactMap { $0 }
    let scorer = StreamScorer(
      runner: conversion.runner, source: conversion.source, evaluation: tokens.evaluation)
    let scores = try scorer.scores(
      of: goals.flatMap { [$0.reduced] + [$0.split].compactMap { $0 } }, against: original,
      stopped: stopped)
    func loss(_ score: LogitScore) -> ModelLoss {
      ModelLoss(score, original: scores.reference, bytesPerToken: tokens.bytesPerToken)
    }
    var rest = scores.streams.map(loss)[...]
    return (
      loss(scores.reference),
      goals.map { goal in
        let reduced = rest.removeFirst()
        return Losses(reduced: reduced, split: goal.split == nil ? nil : rest.removeFirst())
      }
    )
  }
}
