import Testing
import ZooHarness

@Suite("Bounds of a suite")
struct SuiteBoundsTests {
  private func refusal(_ change: (inout ZooHarness.Suite) -> Void) throws -> HarnessError? {
    var suite = try Sample.suite(["mha", "mla:16+8"])
    change(&suite)
    do throws(HarnessError) {
      try suite.validate()
      return nil
    } catch {
      return error
    }
  }

  @Test("sizes whose products no integer holds are refused with one line, not trapped")
  func products() throws {
    let most = Suite.Grid(contexts: [1 << 31], batches: [1 << 20])
    for change: (inout ZooHarness.Suite) -> Void in [
      { $0.attention = most }, { $0.step = most },
      { $0.attention = Suite.Grid(contexts: [16, 1 << 31], batches: [1 << 20, 1]) },
    ] {
      let error = try #require(try refusal(change))
      #expect(error.exitCode == 64)
      #expect(error.message.contains("2147483648 tokens × 1048576 sequences"))
      #expect(!error.message.contains("\n"))
    }
    #expect(
      try refusal { $0.attention = Suite.Grid(contexts: [1 << 31], batches: [1 << 10]) } == nil)
  }

  @Test("a child has at most a day", arguments: [86_400.5, 1e300, .infinity])
  func patience(seconds: Double) throws {
    let error = try refusal {
      $0.maxBatch = Suite.MaxBatch(
        budget: .weightsPlus(1 << 30), contexts: [256], secondsPerChild: seconds)
    }
    #expect(error?.exitCode == 64)
    #expect(error?.message.contains("seconds_per_child") == true)
  }
}
