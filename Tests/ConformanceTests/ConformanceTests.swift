import AttentionCore
import AttentionZoo
import Foundation
import Testing
import ZooMemory

/// What a variant must satisfy to be in the zoo: every schedule on every cache, for every pair of
/// values of two axes. `CONFORMANCE=full` runs the whole product.
@Suite struct ConformanceTests {
  static var isFull: Bool { ProcessInfo.processInfo.environment["CONFORMANCE"] == "full" }
  static var variants: [String] {
    let product = VariantProduct(registry: .standard)
    return isFull ? product.full : product.pairs
  }
  /// Variants go to a few tests that run side by side.
  static let shares = 4

  @Test(arguments: 0..<shares)
  func everyRegisteredVariantConforms(share: Int) throws {
    let pool = WorkerPool(threads: 2)
    let variants = Self.variants
    for index in stride(from: share, to: variants.count, by: Self.shares) {
      do {
        try ConformanceChecker(variants[index], pool: pool).check()
      } catch {
        Issue.record("\(variants[index]): \(error)")
      }
    }
    print("conformance \(share + 1)/\(Self.shares): \(variants.count) variants in all")
  }

  @Test func theProductHoldsEveryRegisteredSample() {
    let all = VariantProduct(registry: .standard).pairs
    let registry = AxisRegistry.standard
    let samples =
      registry.heads.flatMap { $0.samples } + registry.sharings.flatMap { $0.samples }
      + registry.reaches.flatMap { $0.samples } + AttentionSinks.samples
      + registry.codecs.flatMap(\.samples)
    for sample in samples {
      #expect(all.contains { $0.contains(sample) }, "no variant holds \(sample)")
    }
  }
}
