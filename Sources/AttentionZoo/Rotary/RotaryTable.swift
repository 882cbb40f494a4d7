import AttentionCore
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

/// Cosines and sines of every token of a call, computed once for all layers that rotate alike.
struct RotaryTable {
  private struct Entry {
    var rotary: RotaryEmbedding
    /// What the table was made for. A list of its own, not the caller's, which advances in place.
    var entries: [BatchPlan.Entry] = []
    var scratch: ScratchBuffer
  }
  private var entries: [Entry] = []

  var mappedBytes: Int { entries.reduce(0) { $0 + $1.scratch.mappedBytes } }

  /// The table of `rotary` for `plan`: `[ΣT][pairs]` (cosine, sine).
  mutating func table(
    _ rotary: RotaryEmbedding, _ plan: BatchPlan
  ) throws(OutOfMemory) -> UnsafePointer<SIMD2<Float>> {
    let index: Int
    if let known = entries.firstIndex(where: { $0.rotary == rotary }) {
      if entries[known].entries == plan.entries {
        return UnsafePointer(entries[known].scratch.pointer())
      }
      index = known
    } else {
      entries.append(Entry(rotary: rotary, scratch: ScratchBuffer()))
      index = entries.count - 1
    }
    let pairs = rotary.frequencies.count
    let table = try entries[index].scratch.reserve(plan.tokens * pairs, of: SIMD2<Float>.self)
    let magnitude = Double(rotary.magnitude)
    for entry in plan.entries {
      let base = rotary.grownBase(length: entry.start + entry.count)
      for token in 0..<entry.count {
        let position = Double(entry.start + token)
        let row = table + (entry.offset + token) * pairs
        for pair in 0..<pairs {
          let frequency =
            base.map { power($0, -Double(pair) / Double(pairs)) } ?? rotary.frequencies[pair]
          let angle = position * frequency
          row[pair] = SIMD2(Float(magnitude * cos(angle)), Float(magnitude * sin(angle)))
        }
      }
    }
    entries[index].entries.removeAll(keepingCapacity: true)
    for entry in plan.entries { entries[index].entries.append(entry) }
    return UnsafePointer(table)
  }
}
