import Testing
import ZooHarness

@Suite("Sizes as people write them")
struct QuantityTests {
  @Test("tokens", arguments: [("1024", 1_024), ("8k", 8_192), ("32K", 32_768), ("1m", 1 << 20)])
  func tokens(text: String, expected: Int) { #expect(Quantity.tokens(text) == expected) }

  @Test(
    "what is no number of tokens", arguments: ["", "0", "k", "-1", "8kk", "1.5k", "9999999999999"])
  func noTokens(text: String) { #expect(Quantity.tokens(text) == nil) }

  @Test(
    "bytes",
    arguments: [
      ("4GiB", 4 << 30), ("1.5 GiB", 3 << 29), ("512MiB", 512 << 20), ("6GB", 6_000_000_000),
      ("4096", 4_096),
    ])
  func bytes(text: String, expected: Int) { #expect(Quantity.bytes(text) == expected) }

  @Test("what is no number of bytes", arguments: ["", "GiB", "-1GiB", "0", "1e3", "0.1B", "inf"])
  func noBytes(text: String) { #expect(Quantity.bytes(text) == nil) }

  @Test("budgets read back the same", arguments: ["weights+4GiB", "6GiB", "weights+64MiB", "1000"])
  func budgets(text: String) throws {
    #expect(try #require(ByteBudget(text)).description == text)
  }

  @Test("what is no budget", arguments: ["", "weights", "weights+", "4GiB+weights", "weights+1+2"])
  func noBudget(text: String) { #expect(ByteBudget(text) == nil) }
}
