import AttentionZoo
import Testing
import ZooModels

@Suite("Published configurations rotate by a geometric sequence of frequencies that begins at 1")
struct StockRotaryTests {
  private let source = RotaryEmbedding(width: 128, theta: 500_000).frequencies

  @Test("every c-th frequency of a wide head is that of a narrow one with the same base")
  func stride() {
    for stride in [1, 2, 4] {
      let kept = Swift.stride(from: 0, to: 64, by: stride).map { source[$0] }
      #expect(StockRotary.fits(frequencies: kept, theta: 500_000, width: 128 / stride))
      #expect(StockRotary.fits(frequencies: kept.shuffled(), theta: 500_000, width: 128 / stride))
      #expect(StockRotary.theta(of: kept, preferring: 500_000) == 500_000)
    }
  }

  @Test("the fastest pairs alone are those of another base")
  func otherBase() throws {
    let kept = Array(source[..<32])
    #expect(!StockRotary.fits(frequencies: kept, theta: 500_000, width: 64))
    let theta = try #require(StockRotary.theta(of: kept, preferring: 500_000))
    #expect(abs(theta - 500_000.0.squareRoot()) < 1e-6 * theta)
    #expect(StockRotary.fits(frequencies: kept, theta: theta, width: 64))
  }

  @Test("gaps, repetitions and a slow beginning are those of none")
  func inexpressible() {
    let gap = Array(source[..<20]) + Array(source[21..<33])
    let repeated = Array(source[..<31]) + [source[30]]
    let slow = Array(source[32...])
    for frequencies in [gap, repeated, slow] {
      #expect(StockRotary.theta(of: frequencies, preferring: 500_000) == nil)
    }
  }

  @Test("an order is found for frequencies in any order")
  func order() throws {
    let frequencies = RotaryEmbedding(width: 8, theta: 10_000).frequencies
    let shuffled = [2, 0, 3, 1].map { frequencies[$0] }
    #expect(StockRotary.order(of: shuffled, as: frequencies) == [1, 3, 0, 2])
  }
}
