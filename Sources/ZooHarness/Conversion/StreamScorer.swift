import ZooLinearAlgebra
import ZooModels

/// Reads logits out of the hidden states of evaluation segments and scores them beside those of a
/// reference, by the evaluation protocol.
struct StreamScorer {
  let runner: DecoderLayerRunner
  /// Final norm and head are read from it.
  let source: any LayerSource
  /// Token ids, one list a segment.
  let evaluation: [[Int32]]

  /// - Parameters:
  ///   - streams: hidden states of the segments after the last layer.
  ///   - reference: the same of what they are compared with.
  /// - Returns: the reference's own score and one a stream.
  /// - Throws: what the source throws; `OutOfMemory`, `ConversionStopped`.
  func scores(
    of streams: [HiddenStream], against reference: HiddenStream, stopped: () -> Bool
  ) throws -> (reference: LogitScore, streams: [LogitScore]) {
    let norm = try source.finalNorm()
    let head = try source.head() ?? Linear(weight: try source.embedding())
    var own = LogitScore()
    var scores = streams.map { _ in LogitScore() }
    let chunk = EvaluationProtocol.chunk
    let expected = try Matrix(rows: chunk, columns: head.outputs)
    for (segment, ids) in evaluation.enumerated() {
      own.beginSegment()
      for index in scores.indices { scores[index].beginSegment() }
      // Row r predicts token r + 1.
      let wanted = ids.count - EvaluationProtocol.scored - 1..<ids.count - 1
      for first in stride(from: wanted.lowerBound, to: wanted.upperBound, by: chunk) {
        if stopped() { throw ConversionStopped() }
        let rows = first..<min(first + chunk, wanted.upperBound)
        let tokens = Array(ids[rows.lowerBound + 1..<rows.upperBound + 1])
        func logits(_ stream: HiddenStream) throws -> MatrixView {
          let offset = stream.segments[segment].lowerBound
          return try runner.logits(
            stream.view(rows.lowerBound + offset..<rows.upperBound + offset), finalNorm: norm,
            head: head, settings: source.settings)
        }
        let original = try logits(reference)
        expected.pointer.update(from: original.pointer, count: rows.count * head.outputs)
        own.add(original, original: original, tokens: tokens)
        for (index, stream) in streams.enumerated() {
          scores[index].add(try logits(stream), original: expected.view, tokens: tokens)
        }
      }
    }
    return (own, scores)
  }
}

extension LogitScore {
  /// Scores consecutive positions, a row of logits each.
  fileprivate mutating func add(_ logits: MatrixView, original: MatrixView, tokens: [Int32]) {
    for (row, token) in tokens.enumerated() {
      add(
        UnsafeBufferPointer(start: logits.row(row), count: logits.columns),
        original: UnsafeBufferPointer(start: original.row(row), count: original.columns),
        token: Int(token))
    }
  }
}
