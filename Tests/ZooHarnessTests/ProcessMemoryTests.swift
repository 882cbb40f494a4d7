import Testing
import ZooHarness

@Suite("What the system says about memory")
struct ProcessMemoryTests {
  @Test("cached files of a control group can be had again, in both versions of its statistics")
  func reclaimable() {
    let second = "anon 900\nfile 700\ninactive_file 300\nactive_file 200\nshmem 50\n"
    #expect(ProcessMemory.reclaimable(memoryStat: second) == 500)
    let first = second + "total_inactive_file 3000\ntotal_active_file 2000\n"
    #expect(ProcessMemory.reclaimable(memoryStat: first) == 5_000)
    #expect(ProcessMemory.reclaimable(memoryStat: "") == 0)
    #expect(ProcessMemory.reclaimable(memoryStat: "inactive_file many\nactive_file -1") == 0)
  }

  @Test("what is free lies between nothing and all")
  func available() {
    #expect(ProcessMemory.available > 0)
    #expect(ProcessMemory.available <= ProcessMemory.total)
  }
}
