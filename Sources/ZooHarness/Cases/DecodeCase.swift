import AttentionCore
import ZooMemory

/// Nanoseconds of one decode step.
struct StepTimes: Sendable, Hashable {
  /// The step of all sequences.
  var total: Int64 = 0
  /// Attend and merge.
  var attention: Int64 = 0
  /// Encode and write of new rows.
  var append: Int64 = 0
  /// Latent attention's per-head products.
  var absorb: Int64 = 0
}

/// A case that is ready to be timed: memory allocated, caches filled.
protocol DecodeCase: AnyObject {
  /// The cache.
  var cache: KVCache { get }
  /// Scratch bytes held beside the cache.
  var workspaceBytes: Int { get }
  /// Runs one step of all sequences at the case's context and takes it back, so that every step
  /// does the same work. Allocates nothing once warmed up.
  func step() throws -> StepTimes
}

extension DecodeCase {
  /// Takes the last token of every sequence back.
  func takeBack(_ plan: BatchPlan) throws(CacheError) {
    for entry in plan.entries { try cache.truncate(entry.sequence, to: entry.start) }
  }
}

extension KVCache {
  /// Opens as many sequences as the cache was made for.
  func openAll() throws(CacheError) -> [Int] {
    var sequences: [Int] = []
    for _ in 0..<plan.sequences { sequences.append(try addSequence()) }
    return sequences
  }
}
