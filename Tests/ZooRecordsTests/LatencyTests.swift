import Testing
import ZooRecords

@Suite("Summaries of latency samples")
struct LatencyTests {
  @Test("a percentile q needs 10 ÷ (1 − q) samples", arguments: [1, 19, 20, 99, 100, 999, 1_000])
  func percentilesNeedSamples(count: Int) throws {
    let latency = try #require(ResultRow.Latency(samples: (1...count).map(Double.init)))
    #expect((latency.p50 != nil) == (count >= 20))
    #expect((latency.p90 != nil) == (count >= 100))
    #expect((latency.p99 != nil) == (count >= 1_000))
    #expect(latency.mean == Double(count + 1) / 2)
    #expect(latency.max == Double(count))
  }

  @Test("percentiles lie between the nearest samples")
  func percentiles() throws {
    let latency = try #require(ResultRow.Latency(samples: (1...1_000).map(Double.init).shuffled()))
    #expect(latency.p50 == 500.5)
    #expect(abs((latency.p90 ?? 0) - 900.1) < 1e-9)
    #expect(abs((latency.p99 ?? 0) - 990.01) < 1e-9)
  }

  @Test("no samples, no summary")
  func empty() { #expect(ResultRow.Latency(samples: []) == nil) }
}
