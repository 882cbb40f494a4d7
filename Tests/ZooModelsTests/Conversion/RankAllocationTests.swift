import AttentionCore
import Testing
import ZooModels

@Suite("Ranks are spread where they cost least")
struct RankAllocationTests {
  /// Falling energies of layers that decay at different rates.
  private let spectra = [0.5, 0.8, 0.95].map { decay -> [Double] in
    (0..<24).map { place in
      (0..<place).reduce(100.0) { energy, _ in energy * decay }
    }
  }

  private func lost(_ ranks: [Int]) -> Double {
    zip(spectra, ranks).reduce(0) { sum, layer in
      sum + layer.0.dropFirst(layer.1).reduce(0, +) / layer.0.reduce(0, +)
    }
  }

  @Test("no choice within the budget keeps more", arguments: [12, 17, 24, 40, 72])
  func optimal(budget: Int) throws {
    let ranges = spectra.map { _ in RankRange(first: 1, step: 1, most: 24) }
    let ranks = try #require(
      RankAllocation.ranks(spectra: spectra, ranges: ranges, budget: budget) { _, rank in rank })
    #expect(ranks.reduce(0, +) == budget)
    var best = Double.infinity
    for first in 1...24 {
      for second in 1...24 {
        let third = min(24, budget - first - second)
        if third >= 1 { best = min(best, lost([first, second, third])) }
      }
    }
    #expect(lost(ranks) <= best + 1e-12, "\(ranks)")
  }

  @Test("a budget below the first step of every layer is none")
  func tooSmall() {
    let ranges = spectra.map { _ in RankRange(first: 8, step: 8, most: 24) }
    #expect(
      RankAllocation.ranks(spectra: spectra, ranges: ranges, budget: 23) { _, rank in rank } == nil)
    #expect(
      RankAllocation.ranks(spectra: spectra, ranges: ranges, budget: 24) { _, rank in rank }
        == [8, 8, 8])
  }

  @Test("a share of the energy takes the least rank that keeps it")
  func energy() {
    let range = RankRange(first: 1, step: 1, most: 24)
    // A half is lost with every direction: 1 − 2^−r is kept of nearly two.
    let half = spectra[0]
    #expect(RankAllocation.rank(keeping: 0.74, of: half, in: range) == 2)
    #expect(RankAllocation.rank(keeping: 0.76, of: half, in: range) == 3)
    #expect(RankAllocation.rank(keeping: 1, of: half, in: range) == 24)
    #expect(
      RankAllocation.rank(keeping: 0.76, of: half, in: RankRange(first: 8, step: 8, most: 24)) == 8)
  }

  private let geometry = ModelGeometry(
    name: "three", layers: 3, hidden: 64, queryHeads: 4, keyValueHeads: 4, headWidth: 16,
    mlpWidth: 64, vocabulary: 40, tiedEmbeddings: true, maxPositions: 128)

  @Test(
    "the bytes of the variant are the budget's, to within a step, whatever the codec and the slice",
    arguments: [
      ("mla:24+8", 2), ("mla:24+8x4", 2), ("mla:24+8@f32", 4), ("mla:64+32@int8", 2),
      ("mla:24+8/swa:16/sink:4", 2), ("mla:24+8/hybrid:1:1:16", 2),
    ], [0, 1])
  func budget(_ goal: (target: String, element: Int), slack: Int) throws {
    let target = try AxisRegistry.standard.variant(goal.target)
    let fixed = try bytes(target.withRank { _ in goal.target.contains("int8") ? 32 : 8 })
    let step = goal.target.contains("int8") ? 34 : 8 * goal.element
    // Room for three more steps and a little.
    let budget = fixed + 3 * step + slack
    let variant = try RankPlan(target: target, geometry: geometry)
      .variant(.keyValueBytes(budget), spectra: spectra.map { $0 + $0 + $0 })
    let spent = try bytes(variant)
    #expect(spent <= budget && spent > budget - step, "\(variant): \(spent) of \(budget)")
    let again = try AxisRegistry.standard.variant(variant.notation)
    #expect(try again.layouts(for: geometry) == variant.layouts(for: geometry))
  }

  private func bytes(_ variant: Variant) throws -> Int {
    try variant.layouts(for: geometry).reduce(0) { $0 + $1.idealBytesPerToken }
  }

  @Test("sharers have their owner's rank, and a target without a rank to choose is refused")
  func sharing() throws {
    let plan = try RankPlan(
      target: try AxisRegistry.standard.variant("mla:24+8/cla:2"), geometry: geometry)
    let variant = try plan.variant(.energy(0.9), spectra: [spectra[1], nil, spectra[2]])
    let layouts = try variant.layouts(for: geometry)
    #expect(layouts.map(\.owner) == [0, 0, 2])
    #expect(layouts[0].shape == layouts[1].shape)
    let grouped = try RankPlan(
      target: try AxisRegistry.standard.variant("gqa:2"), geometry: geometry)
    let error = #expect(throws: ConversionError.self) {
      try grouped.variant(.energy(0.9), spectra: [nil, nil, nil])
    }
    #expect("\(try #require(error))".contains("no layer has a rank to choose"))
    let small = #expect(throws: ConversionError.self) {
      try plan.variant(.keyValueBytes(50), spectra: [spectra[1], nil, spectra[2]])
    }
    #expect("\(try #require(small))".contains("the narrowest latents take 64"))
  }
}
