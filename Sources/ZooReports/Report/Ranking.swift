import ZooRecords

/// Who is fastest under one condition, as far as the samples say.
struct Ranking: Sendable {
  /// The row with the least median.
  let fastest: ResultRow
  /// Its ratio to `mha`, where that was measured.
  let toPlain: RatioEstimate?
  /// The `mha` row's variant.
  let plain: String?
  /// Rows whose interval against the fastest does not exclude 1.
  let tied: [ResultRow]
  /// Whether all intervals come from cases measured in turn.
  let isPaired: Bool
  /// Rows compared.
  let count: Int

  /// A ranking of measured rows with samples; `nil` with fewer than two.
  init?(_ rows: [ResultRow], _ bootstrap: Bootstrap) {
    let timed = rows.filter {
      $0.origin == .measured
        && ($0.decode?.samplesMs?.count ?? 0) >= Bootstrap.fewestSamples
    }
    func median(_ row: ResultRow) -> Double { Median.of(row.decode?.samplesMs ?? []) }
    guard timed.count > 1,
      let fastest = timed.min(by: { (median($0), $0.caseID) < (median($1), $1.caseID) })
    else { return nil }
    var tied: [ResultRow] = []
    var isPaired = true
    for row in timed where row.caseID != fastest.caseID {
      let ratio = row.timeRatio(to: fastest, bootstrap)
      isPaired = isPaired && ratio?.isPaired == true
      if ratio?.excludesOne != true { tied.append(row) }
    }
    let plain = VariantName.reference(base: "mha", among: timed.map(\.variant))
    let plainRow = timed.first { $0.variant == plain }
    self.fastest = fastest
    self.plain = plain
    self.toPlain =
      plainRow?.caseID == fastest.caseID
      ? nil : plainRow.flatMap { fastest.timeRatio(to: $0, bootstrap) }
    self.tied = tied
    self.isPaired = isPaired
    self.count = timed.count
  }

  /// Whether one row may be called the winner: no other ties with it, and what changed on the
  /// machine meanwhile met all of them alike.
  var hasWinner: Bool { tied.isEmpty && (isPaired || fastest.machine.stable != false) }

  /// The ratio of the fastest to `mha`, in words.
  var plainText: String {
    if fastest.variant == plain { return "1×" }
    return toPlain?.text ?? NumberText.missing
  }
}
