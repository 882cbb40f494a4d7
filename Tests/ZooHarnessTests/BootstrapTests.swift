import Testing
import ZooHarness

@Suite("Bootstrap over segments")
struct BootstrapTests {
  @Test("the same differences give the same interval, and it holds the mean")
  func repeats() throws {
    let differences = (0..<50).map { 0.1 + Double($0 % 7) * 0.01 }
    let mean = differences.reduce(0, +) / 50
    let first = try #require(SegmentBootstrap.interval(ofMean: differences))
    let second = try #require(SegmentBootstrap.interval(ofMean: differences))
    #expect(first == second)
    #expect(first.low < mean && mean < first.high)
    #expect(first.low > 0.1 && first.high < 0.16)
  }

  @Test("the interval of a normal mean is about 1.96 standard errors wide on each side")
  func width() throws {
    // Twenty-five pairs of ±1: standard deviation 1, standard error 1 ÷ √50.
    let differences = (0..<50).map { $0.isMultiple(of: 2) ? 1.0 : -1.0 }
    let interval = try #require(SegmentBootstrap.interval(ofMean: differences))
    let expected = 1.96 / 50.0.squareRoot()
    #expect(abs(interval.high - expected) < 0.05)
    #expect(abs(interval.low + expected) < 0.05)
  }

  @Test("equal differences leave no doubt; one segment gives no interval")
  func edges() throws {
    let same = try #require(SegmentBootstrap.interval(ofMean: [0.25, 0.25, 0.25]))
    #expect(same.low == 0.25 && same.high == 0.25)
    #expect(SegmentBootstrap.interval(ofMean: [1]) == nil)
  }
}
