import Testing
import ZooRecords

@Suite("The hash of a case")
struct CaseKeyTests {
  @Test("is FNV-1a, 64 bits: the published values of its authors' test suite")
  func published() {
    #expect(CaseKey.hash("") == "cbf29ce484222325")
    #expect(CaseKey.hash("a") == "af63dc4c8601ec8c")
    #expect(CaseKey.hash("foobar") == "85944171f73967e8")
  }
}
