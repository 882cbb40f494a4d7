import ZooRecords

/// Compares two rows of one case.
struct CaseComparer: Sendable {
  let threshold: Double
  let bootstrap: Bootstrap

  func entries(_ before: ResultRow, _ after: ResultRow) -> [Comparison.Entry] {
    guard before.status == .ok, after.status == .ok else { return [] }
    return Comparison.Metric.allCases.compactMap { metric in
      guard let old = value(metric, before), let new = value(metric, after), old > 0, new > 0
      else { return nil }
      return entry(metric, before, after, old, new)
    }
  }

  private func value(_ metric: Comparison.Metric, _ row: ResultRow) -> Double? {
    switch metric {
    case .stepTime: row.medianMs
    case .firstToken: row.prefill?.ttftMs
    case .allocatedBytes: row.kv?.allocatedBytes.map(Double.init)
    case .maxBatch: row.largestBatch.map(Double.init)
    case .bitsPerByte: row.fidelity?.bitsPerByte
    }
  }

  private func entry(
    _ metric: Comparison.Metric, _ before: ResultRow, _ after: ResultRow, _ old: Double,
    _ new: Double
  ) -> Comparison.Entry {
    var old = old
    var new = new
    var estimate: RatioEstimate?
    let isCertain: Bool
    switch metric {
    case .stepTime:
      estimate = after.timeRatio(to: before, bootstrap)
      isCertain = estimate?.excludesOne == true
      if estimate != nil {
        // The medians that the interval is about.
        old = Median.of(before.decode?.samplesMs ?? [])
        new = Median.of(after.decode?.samplesMs ?? [])
      }
    case .firstToken:
      isCertain = false
    case .allocatedBytes, .maxBatch, .bitsPerByte:
      isCertain = true
    }
    let worsening = metric == .maxBatch ? old / new : new / old
    return Comparison.Entry(
      row: after, metric: metric, before: old, after: new, estimate: estimate,
      isRegression: isCertain && worsening > 1 + threshold,
      isImprovement: isCertain && 1 / worsening > 1 + threshold)
  }
}
