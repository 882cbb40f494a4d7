import AttentionCore
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooRecords

/// A model and the text that it is scored on.
struct FidelitySource {
  /// The model in its own variant, rows kept in float32.
  let original: DecoderModel
  let tokens: [Int32]
  /// Identifies the text.
  let textHash: String

  /// Loads what a suite names: the embedded model and its held-out text, or a byte-level
  /// checkpoint and a text file.
  /// - Throws: `HarnessError`, `CheckpointError`, `OutOfMemory`.
  init(_ section: Suite.Fidelity, pool: WorkerPool) throws {
    let model: DecoderModel
    if section.model == EmbeddedModel.name {
      model = try EmbeddedModel.load(format: .float32, pool: pool)
    } else {
      let name = URL(fileURLWithPath: section.model).lastPathComponent
      model = try DecoderModel(
        checkpoint: try CheckpointFolder(path: section.model), name: name, format: .float32,
        pool: pool)
    }
    guard model.geometry.vocabulary == ByteTokenizer().vocabularySize else {
      throw HarnessError(
        .badData,
        "\(section.model): vocabulary of \(model.geometry.vocabulary), expected a byte-level model "
          + "of \(ByteTokenizer().vocabularySize)")
    }
    if let text = section.text {
      tokens = try TokenSource(textFile: text, tokenizer: ByteTokenizer()).ids.map { Int32($0) }
    } else {
      tokens = try EmbeddedModel.evaluationText()
    }
    guard EvaluationProtocol.segments(tokens: tokens.count) > 0 else {
      throw HarnessError(
        .badData,
        "\(section.text ?? "evaluation text"): \(tokens.count) bytes, expected at least "
          + "\(EvaluationProtocol.segment)")
    }
    textHash = CaseKey.hash(tokens.map { String($0) }.joined(separator: " "))
    original = try model.converted(
      to: model.variant.storing(CodecPair(Float32Codec())))
  }
}

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
  /// end.
  func scores(segments: Int, stopped: () -> Bool) throws -> [LogitScore]? {
    let subjects = [original] + variants
    var scores = subjects.map { _ in LogitScore() }
    for segment in 0..<segments {
      if stopped() { return nil }
      let sequences = try subjects.map { try $0.cache.addSequence() }
      for index in scores.indices { scores[index].beginSegment() }
      for call in EvaluationProtocol.calls {
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
