import AttentionCore
import Testing
import ZooMemory

@Suite("Caches of quantised rows")
struct QuantisedCacheTests {
  private static func layout(_ notation: String) throws -> KVLayout {
    try AxisRegistry.standard.layouts(notation, on: .small)[0]
  }

  // Heads of 16 elements, 4 streams of `mha`; latent rows of 16 + 8.
  @Test(
    "a row's bytes are those of its elements, scales and zeros",
    arguments: [
      ("mha@fp8", 4 * (16 + 16)), ("mha@int8", 4 * 2 * (16 + 2)), ("mha@int4", 4 * 2 * (8 + 4)),
      ("mha@int8:int4", 4 * (18 + 12)), ("mla:16+8@int8", 24 + 2), ("mla:16+8@int4", 12 + 4),
      ("mla:16+8@int8:f16", 18 + 16),
      // The mean over a group of 8, rounded up: 8 · 16 + 2 · 16 and 8 · 8 + 4 · 16 bytes.
      ("mha@int8c:8", 4 * 2 * 20), ("mha@int4c:8:int4", 4 * (16 + 12)),
    ])
  func rowBytes(notation: String, bytes: Int) throws {
    #expect(try Self.layout(notation).rowBytesPerToken == bytes)
  }

  @Test(
    "bytes per channel are those of visible groups, their scales and the tail",
    arguments: ["", "/swa:7", "/swa:16/sink:4", "/swa:1"])
  func groupBytes(reach: String) throws {
    let layout = try Self.layout("mha\(reach)@int4c:8:int8c:3")
    for context in 0...70 {
      var bytes = 0
      for (tokens, header, row) in [(8, 64, 8), (3, 32, 16)] {
        let seen = (0..<context).filter { layout.reach.sees($0, from: context - 1) }
        let quantised = seen.filter { $0 / tokens < (context - 1) / tokens }
        bytes += quantised.count * row + Set(quantised.map { $0 / tokens }).count * header
        bytes += (seen.count - quantised.count) * 2 * 16
      }
      #expect(layout.readBytes(context: context) == 4 * bytes, "\(context) tokens")
      #expect(layout.idealBytes(context: context) == 4 * bytes)
    }
  }

  @Test("a cache takes no call across a group, and says how far the next may go")
  func calls() throws {
    let cache = try KVCache(
      layouts: AxisRegistry.standard.layouts("mha@int8c:8:int4c:12", on: .small),
      plan: CachePlan(sequences: 1, capacity: 64))
    let sequence = try cache.addSequence()
    #expect(try cache.nextChunk(of: sequence, atMost: 64) == 8)
    #expect(
      message { try cache.extend(sequence, by: 9) }
        == "9 tokens from 0 on cross a multiple of 8, the tokens that the codec quantises together")
    try cache.extend(sequence, by: 6)
    #expect(try cache.nextChunk(of: sequence, atMost: 64) == 2)
    #expect(try cache.nextChunk(of: sequence, atMost: 1) == 1)
    #expect(message { try cache.extend(sequence, by: 3) } != nil)
    #expect(try cache.length(of: sequence) == 6)
    try cache.extend(sequence, by: 2)
    #expect(try cache.nextChunk(of: sequence, atMost: 64) == 4)
  }

  @Test("what is quantised can be cut between groups only, what is not anywhere")
  func truncation() throws {
    let rows = try GroupedRows(storage: .ring)
    try rows.append(21)
    // Groups of 8: 0 ..< 16 are quantised.
    #expect(
      message { try rows.cache.truncate(rows.sequence, to: 15) }
        == "the group of token 15 is quantised; what is before 16 can be cut between groups only")
    #expect(message { try rows.cache.fork(rows.sequence, at: 9) } != nil)
    try rows.truncate(to: 19)
    try rows.truncate(to: 16)
    try rows.check()
    try rows.append(3)
    try rows.truncate(to: 8)
    try rows.append(12)
    try rows.check()
    try rows.truncate(to: 0)
    try rows.append(17)
    try rows.check()
  }

  @Test(
    "rows read back as binary16 in the last group and within half a step before it",
    arguments: [
      CacheStorage.contiguous, .ring, .paged(pageTokens: 8), .paged(pageTokens: 24),
    ])
  func rows(storage: CacheStorage) throws {
    let rows = try GroupedRows(storage: storage)
    for count in [1, 7, 1, 5, 3, 8, 2] {
      try rows.append(count)
      try rows.check()
    }
    let fork = try rows.forked(at: 25)
    try rows.append(9)
    try fork.append(4)
    try rows.check()
    try fork.check()
  }

  @Test("pages hold whole groups")
  func pages() throws {
    let layouts = try AxisRegistry.standard.layouts("mha@int8c:8", on: .small)
    #expect(
      message {
        try KVCache(
          layouts: layouts,
          plan: CachePlan(storage: .paged(pageTokens: 12), sequences: 1, capacity: 64))
      } == "pages of 12 tokens hold no whole groups; expected a multiple of 8")
  }

  @Test(
    "rows that a codec cannot store are refused with what it takes",
    arguments: [
      ("mla:17+8@int4", "int4 stores rows of a multiple of 2 elements; the latent row has 25"),
      ("mla:17+8@int4:f16", "the latent has 17"),
      ("mla:16+8@int8c:8:f16", "int8c:8 stores whole rows"),
      ("mha@int8c", "int8c:G needs a number of tokens G, a number from 1 to 4096"),
      ("mha@int8c:0", "int8c:0: int8c:G needs"), ("mha@f16:int4c:x", "int4c:x: int4c:G needs"),
      ("mha@int8c:8:int9", "is no codec or pair of codecs"),
    ])
  func refused(notation: String, reason: String) {
    let text = message { try AxisRegistry.standard.layouts(notation, on: .small) }
    #expect(text?.contains(reason) == true, "\(text ?? "no error")")
  }

  private func message(_ body: () throws -> some Any) -> String? {
    do {
      _ = try body()
      return nil
    } catch {
      return "\(error)"
    }
  }
}

/// A sequence of random rows in a cache that quantises keys per channel, beside the rows themselves.
private final class GroupedRows {
  let cache: KVCache
  let sequence: Int
  private var keys: [[Float]]
  /// Tokens that have been quantised and not forgotten since.
  private var quantised = 0
  private var random: SeededGenerator

  init(storage: CacheStorage) throws {
    cache = try KVCache(
      layouts: AxisRegistry.standard.layouts("mha@int8c:8:f16", on: .small),
      plan: CachePlan(storage: storage, sequences: 2, capacity: 64))
    sequence = try cache.addSequence()
    keys = []
    random = SeededGenerator(seed: 3)
  }

  private init(_ other: GroupedRows, at length: Int) throws {
    cache = other.cache
    sequence = try cache.fork(other.sequence, at: length)
    keys = Array(other.keys.prefix(length))
    quantised = min(other.quantised, length)
    random = SeededGenerator(seed: 4)
  }

  func forked(at length: Int) throws -> GroupedRows { try GroupedRows(self, at: length) }

  func append(_ count: Int) throws {
    var left = count
    while left > 0 {
      let part = try cache.nextChunk(of: sequence, atMost: left)
      let start = try cache.length(of: sequence)
      try cache.extend(sequence, by: part)
      var rows = [Float](repeating: 0, count: part * 64)
      random.fill(&rows, count: rows.count, deviation: 1)
      for layer in 0..<6 {
        cache.layer(layer).append(
          sequence: sequence, start: start, count: part, keys: rows, keyStride: 64, values: rows,
          valueStride: 64)
      }
      keys += (0..<part).map { Array(rows[$0 * 64..<($0 + 1) * 64]) }
      quantised = max(quantised, (keys.count - 1) / 8 * 8)
      left -= part
    }
  }

  func truncate(to length: Int) throws {
    try cache.truncate(sequence, to: length)
    keys.removeSubrange(length...)
    quantised = min(quantised, length)
  }

  /// Holds every row against what was appended.
  func check(at place: SourceLocation = #_sourceLocation) throws {
    for stream in 0..<4 {
      var read = [Float](repeating: 0, count: keys.count * 16)
      cache.layer(2).readKeys(
        sequence: sequence, stream: stream, tokens: TokenRange(0, keys.count), into: &read)
      for token in keys.indices {
        for element in 0..<16 {
          let channel = stream * 16 + element
          let group = keys[token / 8 * 8..<min(token / 8 * 8 + 8, keys.count)]
          let largest = group.map { abs($0[channel]) }.max() ?? 0
          let bound = token < quantised ? largest * (0.5 / 127 + 0x1p-10) : largest * 0x1p-11
          let error = abs(read[token * 16 + element] - keys[token][channel])
          if !(error <= bound) {
            Issue.record(
              "token \(token) of \(keys.count), channel \(channel): off by \(error), expected \(bound)",
              sourceLocation: place)
            return
          }
        }
      }
    }
  }
}
