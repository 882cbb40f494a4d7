import Testing
import ZooHarness

@Suite("Search for the largest batch")
struct BatchSearchTests {
  @Test("every edge is found from every start")
  func everyEdge() async {
    for edge in 0...20 {
      for computed in 0...20 {
        let found = await BatchSearch(computed: computed).largest { $0 <= edge }
        #expect(found == edge, "computed \(computed)")
      }
    }
  }

  @Test("two trials are enough where computation is right", arguments: [1, 2, 15, 256])
  func twoTrials(edge: Int) async {
    var trials: [Int] = []
    _ = await BatchSearch(computed: edge).largest { batch in
      trials.append(batch)
      return batch <= edge
    }
    #expect(trials == [edge, edge + 1])
  }
}
