import Foundation
import Testing
import ZooReports

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite("A chart")
struct ChartTests {
  private func chart(_ series: [Chart.Series], _ scale: Chart.Scale = .log10) -> Chart {
    Chart(
      title: "A & B", subtitle: "<units>", xAxis: .init("x", .log2, .tokens),
      yAxis: .init("y", scale), series: series)
  }

  private func series(_ count: Int, _ heights: [Double] = [1, 2]) -> [Chart.Series] {
    (0..<count).map { number in
      Chart.Series(
        name: "variant \(number)", style: number,
        points: heights.enumerated().map { .init(Double(1024 << $0.offset), $0.element) })
    }
  }

  @Test("is well-formed XML with its texts escaped")
  func wellFormed() {
    for chart in [chart(series(12)), chart(series(1, [5])), chart(series(2, [1, 1]), .linear)] {
      let parser = XMLParser(data: Data(chart.svg().utf8))
      #expect(parser.parse())
    }
    #expect(chart(series(1)).svg().contains("A &amp; B"))
  }

  @Test("has colours for dark and light and no background")
  func schemes() {
    let svg = chart(series(3)).svg()
    #expect(svg.contains("@media (prefers-color-scheme: dark)"))
    #expect(!svg.contains("<rect"))
  }

  @Test("labels every series, none over another")
  func labels() throws {
    let svg = chart(series(14)).svg()
    let heights = try svg.matches(of: /y="([0-9.]+)"[^>]*>variant [0-9]+</).map {
      try #require(Double($0.1))
    }.sorted()
    #expect(heights.count == 14)
    for (above, below) in zip(heights, heights.dropFirst()) { #expect(below - above > 15) }
  }

  @Test("tells twenty series apart by colour and marker together")
  func styles() {
    let looks = (0..<20).map { style -> String in
      let svg = chart([.init(name: "v", style: style, points: [.init(1024, 1)])]).svg()
      return svg.split(separator: "\n").filter { $0.hasPrefix("<g") || $0.hasPrefix("<path") }
        .joined()
    }
    #expect(Set(looks).count == 20)
  }

  @Test("of nothing, or of a value that its axis cannot show, is empty")
  func notDrawable() {
    #expect(chart([]).svg().isEmpty)
    #expect(chart(series(1, [0, 1])).svg().isEmpty)
    #expect(chart(series(1, [.nan])).svg().isEmpty)
    #expect(!chart(series(1, [0, 1]), .linear).svg().isEmpty)
  }
}
