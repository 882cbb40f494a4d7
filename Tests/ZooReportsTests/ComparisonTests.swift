import Testing
import ZooRecords
import ZooReports

@Suite("A comparison of two runs")
struct ComparisonTests {
  private let before = SampleRows.all.filter { $0.scope == .attention && $0.context == 1024 }

  /// The same cases at another commit, times multiplied.
  private func rerun(_ factor: Double, of variant: String = "mqa") -> [ResultRow] {
    before.map { row in
      var row = row
      row.machine.commit = "def5678"
      if row.variant == variant {
        let samples = row.decode?.samplesMs?.map { $0 * factor }
        row.decode?.samplesMs = samples
        row.decode?.itlMs = samples.flatMap { .init(samples: $0) }
      }
      return row
    }
  }

  @Test("of a run with itself finds nothing")
  func itself() {
    let comparison = Comparison(before, before)
    #expect(!comparison.hasRegression)
    #expect(comparison.entries.allSatisfy { $0.ratio == 1 && !$0.isImprovement })
    #expect(comparison.onlyInA.isEmpty && comparison.onlyInB.isEmpty)
    #expect(comparison.warnings.isEmpty)
  }

  @Test("flags a case that is slower than the threshold allows, and only that")
  func regression() {
    let comparison = Comparison(before, rerun(1.15))
    let flagged = comparison.entries.filter(\.isRegression)
    #expect(comparison.hasRegression)
    #expect(Set(flagged.map(\.row.variant)) == ["mqa"])
    #expect(flagged.allSatisfy { $0.metric == .stepTime && $0.estimate?.excludesOne == true })
    #expect(comparison.render(.table).contains("2 regressions past 5.00 %"))
  }

  @Test("does not flag what stays within the threshold")
  func withinThreshold() {
    #expect(!Comparison(before, rerun(1.15), threshold: 0.2).hasRegression)
    #expect(!Comparison(before, rerun(1.03)).hasRegression)
  }

  @Test("does not flag a slower median whose interval holds 1")
  func noise() {
    func row(_ samples: [Double]) -> ResultRow {
      var row = before[0]
      row.decode?.samplesMs = samples
      row.decode?.itlMs = .init(samples: samples)
      return row
    }
    let old = row([10, 10, 10, 20, 20, 20, 20])
    let new = row([10, 10, 10, 10, 22, 22, 22, 22, 22])
    let comparison = Comparison([old], [new])
    #expect(comparison.entries.first { $0.metric == .stepTime }?.ratio == 1.1)
    #expect(!comparison.hasRegression)
    #expect(comparison.render(.table).contains("not told apart"))
  }

  @Test("counts improvements")
  func improvement() {
    let comparison = Comparison(before, rerun(0.8))
    #expect(!comparison.hasRegression)
    #expect(comparison.entries.filter(\.isImprovement).count == 2)
  }

  @Test("flags allocated bytes that grew and a max batch that shrank")
  func exact() throws {
    let old = SampleRows.all.filter { $0.scope == .maxBatch }
    var new = old
    new[0].kv?.allocatedBytes = try #require(old[0].kv?.allocatedBytes) * 2
    new[1].maxBatch?.measured = 3
    let metrics = Comparison(old, new).entries.filter(\.isRegression).map(\.metric)
    #expect(Set(metrics) == [.allocatedBytes, .maxBatch])
  }

  @Test("counts a case that no longer gives numbers as a regression")
  func lost() {
    var after = rerun(1)
    after[0].status = .failed
    after[0].reason = "trap"
    let comparison = Comparison(before, after)
    #expect(comparison.hasRegression)
    #expect(comparison.losses.map(\.row.caseID) == [before[0].caseID])
    #expect(comparison.render(.markdown).contains("| lost |"))
  }

  @Test("lists cases that are in one run only, and other machines")
  func oneSided() {
    var after = Array(rerun(1).dropFirst(2))
    for index in after.indices { after[index].machine.cpu = "Another CPU" }
    let comparison = Comparison(Array(before.dropLast()), after)
    #expect(Set(comparison.onlyInA.map(\.caseID)) == Set(before.prefix(2).map(\.caseID)))
    #expect(comparison.onlyInB.map(\.caseID) == before.suffix(1).map(\.caseID))
    #expect(comparison.warnings.contains { $0.hasPrefix("the machines differ") })
    #expect(comparison.render(.markdown).contains("Only in A:"))
  }

  @Test("says where no case is in both")
  func nothingShared() {
    let comparison = Comparison(Array(before.prefix(2)), Array(before.suffix(1)))
    #expect(comparison.sharesNoCase)
    #expect(!comparison.hasRegression)
    #expect(comparison.warnings.contains("no case is in both"))
    let same = Comparison(before, before)
    #expect(!same.sharesNoCase)
    #expect(same.sharedCases == Set(before.map(\.caseID)).count)
  }

  @Test("does not depend on the order of the rows")
  func order() {
    let after = rerun(1.15)
    let coarse = Bootstrap(resamples: 50)
    for format in TableFormat.allCases {
      #expect(
        Comparison(before.reversed(), after.reversed(), bootstrap: coarse).render(format)
          == Comparison(before, after, bootstrap: coarse).render(format))
    }
  }

  @Test("is the golden file, byte for byte")
  func golden() {
    GoldenFile.expect(
      Comparison(before, rerun(1.15)).render(.markdown), matches: "comparison.md")
  }
}
