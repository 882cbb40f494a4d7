import Testing
import ZooRecords

@Suite("Going on with a run")
struct ResumePlanTests {
  private let here = MadeUpRow.machine.identity

  @Test("skips only cases that are ok")
  func status() {
    var rows = RowStatus.allCases.map { MadeUpRow.bare(caseID: $0.rawValue) }
    for (index, status) in RowStatus.allCases.enumerated() { rows[index].status = status }
    let plan = ResumePlan(rows: rows, on: here)
    #expect(plan.finished == ["ok"])
    #expect(plan.skips("ok"))
    #expect(plan.mayAppend)
  }

  @Test("skips nothing of another commit or machine, and needs a new file then")
  func others() {
    var elsewhere = MadeUpRow.bare()
    elsewhere.machine.cpu = "Another CPU"
    for row in [MadeUpRow.bare(commit: "def5678"), elsewhere] {
      let plan = ResumePlan(rows: [row], on: here)
      #expect(plan.finished.isEmpty)
      #expect(!plan.mayAppend)
    }
  }

  @Test("skips nothing when the sources were changed since the commit")
  func dirty() {
    let row = MadeUpRow.bare(commit: "abc1234-dirty")
    #expect(ResumePlan(rows: [row], on: row.machine.identity).finished.isEmpty)
  }

  @Test("counts the latest row of a case that ran again, in any order")
  func latest() {
    var first = MadeUpRow.bare()
    first.status = .failed
    var second = MadeUpRow.bare()
    second.machine.date = "2026-02-01T12:00:00Z"
    #expect([first, second].latestOfEachCase() == [second])
    #expect([second, first].latestOfEachCase() == [second])
  }
}
