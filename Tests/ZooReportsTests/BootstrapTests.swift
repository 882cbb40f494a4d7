import Testing
import ZooReports

@Suite("A bootstrap interval of a ratio")
struct BootstrapTests {
  private let bootstrap = Bootstrap()
  private let base = SampleRows.samples(10, count: 40)

  @Test("holds the true ratio and leaves out 1 where the two differ")
  func differs() throws {
    let slower = SampleRows.samples(12, count: 40, salt: 5)
    let ratio = try #require(bootstrap.ratioOfMedians(slower, to: base, isPaired: false))
    #expect(ratio.low <= 1.2 && 1.2 <= ratio.high)
    #expect(ratio.excludesOne)
    #expect(ratio.low <= ratio.ratio && ratio.ratio <= ratio.high)
  }

  @Test("does not leave out 1 for samples of the same distribution")
  func same() throws {
    let again = SampleRows.samples(10, count: 40, salt: 3)
    let ratio = try #require(bootstrap.ratioOfMedians(again, to: base, isPaired: false))
    #expect(!ratio.excludesOne)
  }

  @Test("is the same at every call")
  func deterministic() {
    let other = SampleRows.samples(11, count: 40, salt: 1)
    #expect(
      bootstrap.ratioOfMedians(other, to: base, isPaired: false)
        == bootstrap.ratioOfMedians(other, to: base, isPaired: false))
  }

  @Test("is exact in pairs where one side is a multiple of the other, whatever the drift")
  func paired() throws {
    let drift = (0..<40).map { 10 + Double($0) }
    let half = drift.map { $0 * 0.5 }
    let pairs = try #require(bootstrap.ratioOfMedians(half, to: drift, isPaired: true))
    #expect(pairs.isPaired)
    #expect(pairs.low == 0.5 && pairs.high == 0.5)
    let apart = try #require(bootstrap.ratioOfMedians(half, to: drift, isPaired: false))
    #expect(apart.high - apart.low > 0.05)
  }

  @Test("leaves samples without a partner out of a pair")
  func unequal() throws {
    // The one side went on while the machine was ten times slower.
    let longer = base + base.map { $0 * 10 }
    let ratio = try #require(bootstrap.ratioOfMedians(longer, to: base, isPaired: true))
    #expect(ratio.isPaired)
    #expect(ratio.ratio == 1)
    #expect(ratio.low == 1 && ratio.high == 1)
    let apart = try #require(bootstrap.ratioOfMedians(longer, to: base, isPaired: false))
    #expect(apart.high > 1)
  }

  @Test("is absent with few samples or samples that are no times")
  func absent() {
    #expect(bootstrap.ratioOfMedians([1, 1, 1, 1], to: base, isPaired: false) == nil)
    #expect(bootstrap.ratioOfMedians([1, 1, 1, 1, 0], to: base, isPaired: false) == nil)
    #expect(bootstrap.ratioOfMedians([1, 1, 1, 1, .nan], to: base, isPaired: false) == nil)
  }
}
