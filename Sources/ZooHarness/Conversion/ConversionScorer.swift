import Foundation
import ZooLinearAlgebra
import ZooMemory
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

/// Reads logits out of hidden states, the original's first, and scores them.
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
    let norm = try conversion.source.finalNorm()
    let head = try conversion.source.head() ?? Linear(weight: try conversion.source.embedding())
    let settings = conversion.source.settings
    let streams = conversion.streams.compactMap { $0 }
    var own = LogitScore()
    var reduced = streams.map { _ in LogitScore() }
    var split = streams.map { $0.split.map { _ in LogitScore() } }
    let chunk = EvaluationProtocol.chunk
    let expected = try Matrix(rows: chunk, columns: head.outputs)
    for (segment, ids) in tokens.evaluation.enumerated() {
      own.beginSegment()
      for goal in streams.indices {
        reduced[goal].beginSegment()
        split[goal]?.beginSegment()
      }
      // Row r predicts token r + 1.
      let wanted = ids.count - EvaluationProtocol.scored - 1..<ids.count - 1
      for first in stride(from: wanted.lowerBound, to: wanted.upperBound, by: chunk) {
        if stopped() { throw ConversionStopped() }
        let rows = first..<min(first + chunk, wanted.upperBound)
        func logits(_ stream: HiddenStream) throws -> MatrixView {
          let offset = stream.segments[segment].lowerBound
          return try conversion.runner.logits(
            stream.view(rows.lowerBound + offset..<rows.upperBound + offset), finalNorm: norm,
            head: head, settings: settings)
        }
        func score(_ stream: HiddenStream, _ score: inout LogitScore) throws {
          let result = try logits(stream)
          for row in 0..<rows.count {
            score.add(
              UnsafeBufferPointer(start: result.row(row), count: result.columns),
              original: UnsafeBufferPointer(
                start: expected.view.row(row), count: result.columns),
              token: Int(ids[rows.lowerBound + row + 1]))
          }
        }
        let reference = try logits(original)
        expected.pointer.update(from: reference.pointer, count: rows.count * head.outputs)
        try score(original, &own)
        for goal in streams.indices {
          try score(streams[goal].reduced, &reduced[goal])
          if let stream = streams[goal].split, var sum = split[goal] {
            split[goal] = nil
            try score(stream, &sum)
            split[goal] = sum
          }
        }
      }
    }
    func loss(_ score: LogitScore) -> ModelLoss {
      ModelLoss(score, original: own, bytesPerToken: tokens.bytesPerToken)
    }
    return (
      loss(own),
      streams.indices.map { Losses(reduced: loss(reduced[$0]), split: split[$0].map(loss)) }
    )
  }
}
