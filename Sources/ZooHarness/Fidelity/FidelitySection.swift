import AttentionCore
import Foundation
import ZooLinearAlgebra
import ZooModels
import ZooRecords

extension SuiteRunner {
  /// Runs the `fidelity` section: all variants side by side, so that the original runs once.
  func runFidelity(_ log: inout RunLog) throws {
    guard let section = suite.fidelity, !Interruption.isRequested else { return }
    let source = try FidelitySource(section, pool: pool)
    let all = EvaluationProtocol.segments(tokens: source.tokens.count)
    let segments = min(all, section.segments ?? all)
    let assembly = FidelityRows(
      rows: rows, section: section, source: source, segments: segments)
    var models: [DecoderModel] = []
    for variant in section.variants where !log.skips(assembly.caseID(variant)) {
      do {
        models.append(try source.model(variant))
      } catch let error as NotationError {
        try log.append(assembly.row(variant, status: .unsupported, reason: error.description))
      } catch let error as ConversionError {
        try log.append(assembly.row(variant, status: .unsupported, reason: error.description))
      } catch let error as LAPACKError {
        try log.append(assembly.row(variant, status: .failed, reason: error.description))
      }
    }
    guard !models.isEmpty else { return }
    let title =
      models.count == 1
      ? "fidelity of \(section.model)" : "fidelity of \(models.count) variants of \(section.model)"
    let runner = try FidelityRunner(
      source: source, variants: models, storage: suite.storage, pool: pool)
    let scores = try runner.scores(
      segments: segments, stopped: { Interruption.isRequested },
      progress: { segment in
        log.announce(
          "\(title): segment \(segment + 1) of \(segments)",
          part: Double(segment) / Double(segments))
      })
    guard let scores else {
      for model in models {
        try log.append(
          assembly.row(model.variant, status: .interrupted, reason: "stopped by ctrl-C"))
      }
      return
    }
    for (index, model) in models.enumerated() {
      let score = scores[index + 1]
      if score.isFinite, scores[0].isFinite {
        try log.append(assembly.row(model, score: score, original: scores[0]))
      } else {
        let whose = scores[0].isFinite ? "its logits" : "the original's logits"
        try log.append(
          assembly.row(
            model.variant, status: .failed,
            reason: "\(whose) hold NaN or infinity, expected numbers"))
      }
    }
  }
}

/// Makes the rows of the fidelity scope.
struct FidelityRows {
  let rows: RowAssembly
  let section: Suite.Fidelity
  let source: FidelitySource
  let segments: Int

  func caseID(_ variant: Variant) -> String {
    var extra = ["text": source.textHash, "segments": "\(segments)", "protocol": "1024/512/128"]
    if section.against != nil {
      extra["against"] = source.original.weightHash + " " + source.original.variant.notation
    }
    if let kind = section.kind { extra["kind"] = kind.rawValue }
    return rows.key(
      scope: .fidelity, variant: variant, context: EvaluationProtocol.segment, batch: 1,
      weights: weights, filledBy: .prefill, geometry: source.subject.geometry, extra: extra
    ).hash
  }

  func row(_ variant: Variant, status: RowStatus, reason: String? = nil) -> ResultRow {
    var row = rows.base(
      caseID: caseID(variant), scope: .fidelity, variant: variant,
      context: EvaluationProtocol.segment, batch: 1, machine: rows.facts.machine(),
      geometry: source.subject.geometry)
    row.status = status
    row.reason = reason.map(RowAssembly.oneLine)
    row.weights = weights
    row.filledBy = .prefill
    return row
  }

  func row(_ model: DecoderModel, score: LogitScore, original: LogitScore) -> ResultRow {
    var row = row(model.variant, status: .ok)
    let plan = CachePlan(
      storage: rows.suite.storage, sequences: 1, capacity: EvaluationProtocol.segment,
      maxChunk: EvaluationProtocol.chunk)
    let footprint = CacheFootprint(layouts: model.layouts, plan: plan)
    let ideal = model.layouts.reduce(0) { $0 + $1.idealBytes(context: EvaluationProtocol.segment) }
    row.kv = ResultRow.KV(
      idealBytesPerToken: Double(ideal) / Double(EvaluationProtocol.segment), idealBytes: ideal,
      allocatedBytes: footprint.rowBytes, metadataBytes: footprint.metadataBytes,
      readBytesPerStep: model.layouts.reduce(0) {
        $0 + $1.readBytes(context: EvaluationProtocol.segment)
      })
    var fidelity = ResultRow.Fidelity(
      kind: kind(model.variant),
      reference: "\(source.original.weightSource) \(source.original.variant.notation)")
    fidelity.maxAbsError = score.largestError
    fidelity.meanKL = score.meanDivergence
    fidelity.p99KL = score.p99Divergence
    fidelity.top1Agreement = score.agreement
    fidelity.segments = segments
    let change = zip(score.segmentNats, original.segmentNats).map { $0 - $1 }
    if let bytes = source.scoredBytes(segments: segments) {
      let total = Double(bytes.reduce(0, +))
      fidelity.bitsPerByte = score.nats / log(2) / total
      fidelity.referenceBitsPerByte = original.nats / log(2) / total
      fidelity.bitsPerByteChange = SegmentBootstrap.interval(
        ofRatio: change.map { $0 / log(2) }, to: bytes.map { Double($0) }
      ).map { ResultRow.Interval(low: $0.low, high: $0.high) }
    }
    if !source.isByteLevel {
      fidelity.natsPerToken = score.natsPerToken
      fidelity.referenceNatsPerToken = original.natsPerToken
      fidelity.natsPerTokenChange = SegmentBootstrap.interval(
        ofMean: change.map { $0 / Double(EvaluationProtocol.scored) }
      ).map { ResultRow.Interval(low: $0.low, high: $0.high) }
    }
    row.fidelity = fidelity
    return row
  }

  /// What the section says; else the model's own variant in a codec that was asked for by name
  /// measures that codec, and anything else is a conversion without training, the own variant in the
  /// default codec its first line.
  private func kind(_ variant: Variant) -> FidelityKind {
    if let kind = section.kind { return kind }
    let isOwn = section.against == nil && source.subject.isOwn(variant)
    return isOwn && variant != variant.storing(VariantSpec.defaultCodec) ? .codec : .trainingFree
  }

  private var weights: ResultRow.Weights {
    ResultRow.Weights(
      dtype: source.subject.format.rawValue, source: source.subject.weightSource,
      hash: source.subject.weightHash)
  }
}
