import ZooRecords

/// The charts of a run, chosen by what its rows hold.
struct ReportCharts: Sendable {
  let run: ReportRun
  /// Part of the file's name where a report has several runs.
  let prefix: String

  private func named(_ parts: [String], _ chart: Chart) -> [NamedChart] {
    guard chart.isDrawable else { return [] }
    let name = ([prefix] + parts).filter { !$0.isEmpty }.map(NamedChart.slug)
    return [NamedChart(name: name.joined(separator: "-"), chart: chart)]
  }

  /// Lines of a quantity against context for each variant, where there are two contexts.
  private func series(
    _ geometry: String, _ rows: [ResultRow], x: (ResultRow) -> Double?, y: (ResultRow) -> Double?
  ) -> [Chart.Series] {
    run.variants(of: geometry).compactMap { variant in
      let points = rows.filter { $0.variant == variant }.compactMap { row -> Chart.Point? in
        guard let x = x(row), let y = y(row), x > 0, y > 0 else { return nil }
        return Chart.Point(x, y)
      }
      let first = Dictionary(grouping: points, by: \.x).values.compactMap {
        $0.min { $0.y < $1.y }
      }
      return first.isEmpty
        ? nil : Chart.Series(name: variant, style: run.place(variant, of: geometry), points: first)
    }
  }

  /// Step time against context, one chart for each geometry, scope and batch.
  func latency(geometry: String, scope: RowScope) -> [NamedChart] {
    let rows = run.finished.filter {
      $0.geometry.name == geometry && $0.scope == scope && $0.origin == .measured
        && $0.lengths == nil && $0.medianMs != nil
    }
    return Set(rows.map(\.batch)).sorted().flatMap { batch -> [NamedChart] in
      let same = rows.filter { $0.batch == batch }
      guard Set(same.map(\.context)).count > 1 else { return [] }
      let what = scope == .attention ? "Attention" : "Decode step"
      let chart = Chart(
        title: "\(what) time against context, batch \(batch)",
        subtitle: "\(geometry) on \(run.machine.cpu); median over steps, lower is better",
        xAxis: .init("cached tokens a sequence", .log2, .tokens),
        yAxis: .init("milliseconds a step", .log10),
        series: series(geometry, same, x: { Double($0.context) }, y: \.medianMs))
      return named(["latency", geometry, scope.rawValue, "batch \(batch)"], chart)
    }
  }

  /// Allocated cache bytes of one sequence against context.
  func cacheBytes(geometry: String) -> [NamedChart] {
    let rows = run.finished.filter {
      $0.geometry.name == geometry && [.attention, .step, .maxBatch].contains($0.scope)
        && $0.lengths == nil && $0.kv?.allocatedBytes != nil && $0.batch > 0
    }
    guard Set(rows.map(\.context)).count > 1 else { return [] }
    let chart = Chart(
      title: "Cache bytes against context",
      subtitle: "\(geometry), allocated bytes of one sequence, lower is better",
      xAxis: .init("cached tokens a sequence", .log2, .tokens),
      yAxis: .init("allocated bytes a sequence", .log2, .bytes),
      series: series(
        geometry, rows, x: { Double($0.context) },
        y: { row in row.kv?.allocatedBytes.map { Double($0) / Double(row.batch) } }))
    return named(["kv bytes", geometry], chart)
  }

  /// Tokens a second against batch up to the largest batch that ran, one chart a context.
  func throughput(geometry: String) -> [NamedChart] {
    let rows = run.finished.filter { $0.geometry.name == geometry && $0.lengths == nil }
    let contexts = Set(rows.filter { $0.maxBatch != nil || $0.scope == .step }.map(\.context))
    return contexts.sorted().flatMap { context -> [NamedChart] in
      let same = rows.filter { $0.context == context }
      let lines = run.variants(of: geometry).compactMap { variant -> Chart.Series? in
        let points = same.filter { $0.variant == variant }.flatMap(throughputPoints)
        return points.isEmpty
          ? nil
          : Chart.Series(name: variant, style: run.place(variant, of: geometry), points: points)
      }
      guard Set(lines.flatMap { $0.points.map(\.x) }).count > 1 else { return [] }
      let budgets = Set(same.filter { $0.maxBatch != nil }.map(MaxBatchSection.Search.init))
      let budget =
        budgets.isEmpty
        ? ""
        : "; bar: largest batch within " + budgets.sorted().map(\.budget).joined(separator: ", ")
      let chart = Chart(
        title: "Tokens a second against batch, \(NumberText.tokens(context)) tokens cached",
        subtitle: "\(geometry) on \(run.machine.cpu)\(budget); hollow: predicted",
        xAxis: .init("sequences decoded together", .log2),
        yAxis: .init("new tokens a second, all sequences", .log10), series: lines)
      return named(["throughput", geometry, NumberText.tokens(context)], chart)
    }
  }

  private func throughputPoints(_ row: ResultRow) -> [Chart.Point] {
    if row.scope == .step, let rate = row.decode?.tokensPerSecond, rate > 0 {
      return [Chart.Point(Double(row.batch), rate, isPredicted: row.origin == .predicted)]
    }
    guard let search = row.maxBatch, let rate = search.tokensPerSecondAtMax, rate > 0,
      let batch = search.measured ?? search.computed, batch > 0
    else { return [] }
    let origin = search.rateOrigin ?? row.origin
    return [
      Chart.Point(Double(batch), rate, isEdge: true, isPredicted: origin == .predicted)
    ]
  }

  /// Bits per byte against cache bytes a token, one chart for each geometry and kind.
  func fidelity(geometry: String, kind: FidelityKind) -> [NamedChart] {
    let rows = run.finished.filter { $0.geometry.name == geometry && $0.fidelity?.kind == kind }
    let points = rows.compactMap { row -> Chart.Series? in
      guard let bits = row.fidelity?.bitsPerByte, let bytes = row.kv?.idealBytesPerToken,
        bytes > 0
      else { return nil }
      return Chart.Series(
        name: row.variant, style: run.place(row),
        points: [Chart.Point(bytes, bits)])
    }
    guard points.count > 1 else { return [] }
    let references = Set(rows.compactMap { $0.fidelity?.referenceBitsPerByte })
    let chart = Chart(
      title: "Bits per byte against cache bytes: \(FidelitySection.title(of: kind))",
      subtitle: "\(geometry), lower is better on both axes",
      xAxis: .init("ideal cache bytes a token", .log2, .bytes),
      yAxis: .init("bits per byte", .linear), series: points,
      levels: references.count == 1 ? references.map { .init(name: "the original", y: $0) } : [],
      joinsPoints: false)
    return named(["fidelity", geometry, kind.rawValue], chart)
  }
}
