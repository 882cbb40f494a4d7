import Synchronization
import ZooLinearAlgebra

/// What several threads find while they read the blocks of one tensor: a hash of each, and the first
/// element that is not finite.
final class ReadProgress: Sendable {
  private struct State {
    var hashes: [UInt64]
    var bad: Int?
  }
  private let state: Mutex<State>

  init(blocks: Int) { state = Mutex(State(hashes: Array(repeating: 0, count: blocks))) }

  func see(block: Int, _ bytes: UnsafeRawBufferPointer, nonFinite: Int?) {
    var hash = ContentHash()
    hash.combine(bytes)
    let result = hash.state
    state.withLock { state in
      state.hashes[block] = result
      if let nonFinite { state.bad = min(state.bad ?? nonFinite, nonFinite) }
    }
  }

  /// Of all blocks in their order, whichever thread read them.
  var hash: UInt64 {
    state.withLock { state in
      var all = ContentHash()
      for hash in state.hashes { all.combine(hash) }
      return all.state
    }
  }

  var firstNonFinite: Int? { state.withLock { $0.bad } }
}

/// Where the first NaN or infinity lies.
enum NonFinite {
  static func index(_ values: UnsafePointer<Float>, count: Int) -> Int? {
    index(UnsafeRawBufferPointer(start: values, count: count * 4), .float32)
  }

  /// One pass that the compiler vectorises decides; the search runs on bad news only.
  static func index(_ bytes: UnsafeRawBufferPointer, _ format: WeightFormat) -> Int? {
    func find<Word: FixedWidthInteger & UnsignedInteger>(_ mask: Word) -> Int? {
      let width = MemoryLayout<Word>.size
      let count = bytes.count / width
      guard let base = bytes.baseAddress, count > 0 else { return nil }
      var worst: Word = 0
      for index in 0..<count {
        worst = max(worst, base.loadUnaligned(fromByteOffset: index &* width, as: Word.self) & mask)
      }
      if worst != mask { return nil }
      return (0..<count).first {
        base.loadUnaligned(fromByteOffset: $0 * width, as: Word.self) & mask == mask
      }
    }
    switch format {
    case .float32: return find(UInt32(0x7F80_0000))
    case .float16: return find(UInt16(0x7C00))
    case .bfloat16: return find(UInt16(0x7F80))
    case .int8: return nil
    }
  }
}

/// FNV-1a over 8-byte words: tells weights apart, no defence against an adversary.
struct ContentHash {
  private(set) var state: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while offset + 8 <= bytes.count {
      combine(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    while offset < bytes.count {
      combine(UInt64(bytes[offset]))
      offset += 1
    }
    combine(UInt64(bytes.count))
  }

  mutating func combine(_ text: String) {
    for byte in text.utf8 { combine(UInt64(byte)) }
    combine(UInt64(text.utf8.count))
  }

  mutating func combine(_ word: UInt64) {
    state = (state ^ word) &* 0x0000_0100_0000_01B3
    state ^= state >> 29
  }

  var hexadecimal: String {
    let text = String(state, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
