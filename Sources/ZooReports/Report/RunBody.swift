import ZooRecords

/// The sections of one run.
struct RunBody: Sendable {
  let run: ReportRun
  let bootstrap: Bootstrap
  let level: Int
  let stem: String
  let prefix: String

  private var charts: ReportCharts { ReportCharts(run: run, prefix: prefix) }

  private var geometries: [String] {
    ReportRun.geometries(run.finished.filter { $0.scope != .fidelity })
  }

  func parts() -> [String] {
    var parts = [HeaderSection(run: run).markdown()]
    parts.append(
      Markdown.section(level, "What this says", Findings(run: run, bootstrap: bootstrap).parts()))
    for geometry in geometries { parts.append(contentsOf: sections(of: geometry)) }
    parts.append(
      Markdown.section(
        level, "Fidelity",
        FidelitySection(run: run).parts(level: level + 1, charts: charts, stem: stem)))
    let others = OtherRowsSection(run: run)
    parts.append(Markdown.section(level, "Cases without numbers", others.failures()))
    parts.append(Markdown.section(level, "Axis values that save nothing here", others.noops()))
    return parts
  }

  private func sections(of geometry: String) -> [String] {
    func pictures(_ charts: [NamedChart]) -> [String] {
      charts.map { Markdown.picture($0, stem: stem) }
    }
    func decode(_ scope: RowScope) -> [String] {
      DecodeSection(run: run, geometry: geometry, scope: scope, bootstrap: bootstrap).parts()
    }
    let bytes = CacheBytesSection(run: run, geometry: geometry).parts()
    let shape = run.rows.first { $0.geometry.name == geometry }.map(\.geometry).map(shapeText)
    return [
      Markdown.section(
        level, "\(geometry): cache bytes a token",
        bytes.isEmpty
          ? [] : [shape ?? ""] + bytes + pictures(charts.cacheBytes(geometry: geometry))),
      Markdown.section(
        level, "\(geometry): attention",
        decode(.attention) + pictures(charts.latency(geometry: geometry, scope: .attention))),
      Markdown.section(
        level, "\(geometry): decode step",
        decode(.step) + pictures(charts.latency(geometry: geometry, scope: .step))),
      Markdown.section(
        level, "\(geometry): time to first token",
        PrefillSection(run: run, geometry: geometry).parts()),
      Markdown.section(
        level, "\(geometry): max batch before memory ends",
        MaxBatchSection(run: run, geometry: geometry).parts()
          + pictures(charts.throughput(geometry: geometry))),
      Markdown.section(
        level, "\(geometry): bytes, latency, batch and quality side by side",
        SideBySideSection(run: run, geometry: geometry, bootstrap: bootstrap).parts()),
    ]
  }

  func allCharts() -> [NamedChart] {
    let cost = geometries.flatMap { geometry in
      charts.cacheBytes(geometry: geometry)
        + charts.latency(geometry: geometry, scope: .attention)
        + charts.latency(geometry: geometry, scope: .step)
        + charts.throughput(geometry: geometry)
    }
    return cost
      + FidelitySection.groups(run).flatMap {
        charts.fidelity(geometry: $0.geometry, kind: $0.kind)
      }
  }

  private func shapeText(_ shape: ResultRow.Geometry) -> String {
    "\(NumberText.whole(shape.layers)) layers, \(NumberText.whole(shape.queryHeads)) query heads × "
      + "\(NumberText.whole(shape.headWidth)), \(NumberText.whole(shape.kvHeads)) key/value heads "
      + "in its own form (`\(shape.ownVariant)`), hidden \(NumberText.whole(shape.hidden)), "
      + "MLP \(NumberText.whole(shape.mlp)), vocabulary \(NumberText.whole(shape.vocabulary)).\n"
  }
}
