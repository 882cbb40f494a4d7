import AttentionCore
import ZooHarness
import ZooModels
import ZooReports

/// Loss against cached bytes, one line a way of converting.
struct ConversionCharts {
  let results: [ConversionRunner.Result]
  let model: String
  let original: ModelLoss

  /// Results that differ in their rank alone.
  private struct Line: Hashable {
    var slices: Int
    var width: Int
    var isStock: Bool
    var method: ConversionOptions.Method
    var isSpread: Bool

    var slice: String {
      slices > 1 ? "\(slices) × \(width)" : "shared \(width)\(isStock ? "" : " by energy")"
    }
  }

  private func line(_ result: ConversionRunner.Result) -> Line? {
    guard let heads = result.goal.target.uniform?.heads as? MultiHeadLatent else { return nil }
    return Line(
      slices: heads.ropeSlices, width: heads.ropeWidth,
      isStock: result.layers.contains { $0.factors?.stockFrequencies == true },
      method: result.goal.options.method, isSpread: result.goal.ranks != .named)
  }

  /// Slices against each other, and, for the widest of each kind, methods and ranks.
  func all() -> [NamedChart] {
    let widest = widestSlices()
    return [
      chart(
        "loss", "RoPE slices, calibrated, equal ranks", { $0.slice },
        where: { $0.method == .calibrated && !$0.isSpread }),
      chart(
        "methods", "calibrated against weights alone", { "\($0.slice), \($0.method.rawValue)" },
        where: { widest.contains($0.slice) && !$0.isSpread }),
      chart(
        "ranks", "equal ranks against ranks spread over the layers",
        { "\($0.slice), \($0.isSpread ? "spread" : "equal")" },
        where: { widest.contains($0.slice) && $0.method == .calibrated }),
    ].compactMap { $0 }
  }

  /// The widest shared slice of stock frequencies (of any, without one) and the widest slice a head.
  private func widestSlices() -> Set<String> {
    let lines = results.compactMap(line)
    let shared = lines.filter { $0.slices == 1 }
    let stock = shared.filter(\.isStock)
    let kinds = [stock.isEmpty ? shared : stock, lines.filter { $0.slices > 1 }]
    return Set(kinds.compactMap { kind in kind.max { $0.width < $1.width }?.slice })
  }

  /// Nil where no two lines are to be compared.
  private func chart(
    _ file: String, _ what: String, _ label: (Line) -> String, where include: (Line) -> Bool
  ) -> NamedChart? {
    var order: [String] = []
    var points: [String: [Chart.Point]] = [:]
    for result in results {
      guard let line = line(result), include(line), let loss = result.reduced else { continue }
      let name = label(line)
      if points[name] == nil { order.append(name) }
      points[name, default: []].append(
        Chart.Point(Double(result.keyValueBytesAfter), value(loss)))
    }
    guard order.count > 1 else { return nil }
    let chart = Chart(
      title: "\(name) against cached bytes: \(what)",
      subtitle: "\(model) as MLA without training; lower is better on both axes",
      xAxis: .init("ideal cache bytes a token", .linear, .bytes),
      yAxis: .init(name, .log10),
      series: order.enumerated().map { index, name in
        Chart.Series(name: name, style: index, points: points[name] ?? [])
      }, levels: [.init(name: "the original", y: value(original))])
    return chart.isDrawable ? NamedChart(name: file, chart: chart) : nil
  }

  private var name: String {
    original.bitsPerByte == nil ? "nats per token" : "bits per byte"
  }

  private func value(_ loss: ModelLoss) -> Double { loss.bitsPerByte ?? loss.natsPerToken }
}
