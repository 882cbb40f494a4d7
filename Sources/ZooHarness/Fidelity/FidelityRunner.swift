import AttentionCore
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// Scores a model's variants against the original on one text, segment after segment.
final class FidelityRunner {
  /// One model with its cache.
  private final class Subject {
    let runner: DecoderRunner
    let cache: KVCache

    init(_ model: DecoderModel, storage: CacheStorage, pool: WorkerPool) throws {
      runner = try DecoderRunner(model: model, pool: pool)
      cache = try KVCache(
        layouts: model.layouts,
        plan: CachePlan(
          storage: storage, sequences: 1, capacity: EvaluationProtocol.segment,
          maxChunk: EvaluationProtocol.chunk))
    }
  }

  private let tokens: [Int32]
  private let original: Subject
  private let variants: [Subject]

  /// - Throws: `CacheError`, `OutOfMemory`.
  init(
    source: FidelitySource, variants: [DecoderModel], storage: CacheStorage, pool: WorkerPool
  ) throws {
    tokens = source.tokens
    original = try Subject(source.original, storage: storage, pool: pool)
    self.variants = try variants.map { try Subject($0, storage: storage, pool: pool) }
  }

  /// Scores `segments` segments; the original's own score comes first. Nil when stopped before the
  /// end, which is asked for between calls of the models.
  /// - Parameter progress: called with the number of each segment before it begins.
  func scores(
    segments: Int, stopped: () -> Bool, progress: (Int) -> Void
  ) throws -> [LogitScore]? {
    let subjects = [original] + variants
    var scores = subjects.map { _ in LogitScore() }
    for segment in 0..<segments {
      if stopped() { return nil }
      progress(segment)
      let sequences = try subjects.map { try $0.cache.addSequence() }
      for index in scores.indices { scores[index].beginSegment() }
      for call in EvaluationProtocol.calls {
        if stopped() { return nil }
        try score(call, segment: segment, subjects, sequences, &scores)
      }
      for (subject, sequence) in zip(subjects, sequences) {
        try subject.cache.release(sequence)
      }
    }
    return scores
  }

  private func score(
    _ call: EvaluationProtocol.Call, segment: Int, _ subjects: [Subject], _ sequences: [Int],
    _ scores: inout [LogitScore]
  ) throws {
    let first = segment * EvaluationProtocol.segment
    let chunk = Array(
      tokens[first + call.tokens.lowerBound..<first + call.tokens.upperBound])
    // The original keeps rows in float32 and takes the chunk whole; its logits stay while others run.
    var reference: MatrixView?
    for (index, subject) in subjects.enumerated() {
      var done = 0
      while done < chunk.count {
        let count = try subject.cache.nextChunk(of: sequences[index], atMost: chunk.count - done)
        let logits = try subject.runner.forward(
          tokens: Array(chunk[done..<done + count]),
          plan: BatchPlan([(sequences[index], call.tokens.lowerBound + done, count)]),
          cache: subject.cache, logits: call.scoredRows.isEmpty ? .none : .all)
        let expected = reference ?? logits
        reference = expected
        for row in call.scoredRows.clamped(to: done..<done + count) {
          let next = tokens[first + call.tokens.lowerBound + row + 1]
          scores[index].add(
            UnsafeBufferPointer(start: logits.row(row - done), count: logits.columns),
            original: UnsafeBufferPointer(start: expected.row(row), count: expected.columns),
            token: Int(next))
        }
        done += count
      }
    }
  }
}
