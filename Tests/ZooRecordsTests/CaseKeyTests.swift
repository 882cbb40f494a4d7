import Testing
import ZooRecords

@Suite("The hash of a case")
struct CaseKeyTests {
  private func key(
    variant: String = "mha", batch: Int = 1, lengths: [Int]? = nil, pageSize: Int? = nil,
    extra: [String: String] = [:]
  ) -> CaseKey {
    CaseKey(
      scope: .step, variant: variant, geometry: MadeUpRow.geometry, context: 8192, batch: batch,
      lengths: lengths, threads: 2, seed: 1, weights: .init(dtype: "bf16", source: "random"),
      cache: .init(kind: .paged, pageSize: pageSize), filledBy: .synthetic, extra: extra)
  }

  @Test("is FNV-1a, 64 bits: the published values of its authors' test suite")
  func published() {
    #expect(CaseKey.hash("") == "cbf29ce484222325")
    #expect(CaseKey.hash("a") == "af63dc4c8601ec8c")
    #expect(CaseKey.hash("foobar") == "85944171f73967e8")
  }

  @Test("changes with every input")
  func inputs() {
    let hashes = [
      key(), key(variant: "mqa"), key(batch: 2), key(lengths: [1, 2]), key(pageSize: 16),
      key(extra: ["steps": "20"]), key(extra: ["steps": "2", "0": ""]),
    ].map(\.hash)
    #expect(Set(hashes).count == hashes.count)
    #expect(key().hash == key().hash)
  }

  @Test("keeps values with line breaks apart")
  func lengths() {
    #expect(CaseKey(["a": "1\nb=1:2"]).hash != CaseKey(["a": "1", "b": "2"]).hash)
  }
}
