import AttentionCore
import Testing
import ZooMemory

/// Layouts that between them have every reach, row shape and kind of codec.
let cacheNotations = [
  "gqa:2", "mha/swa:1@f32", "gqa:2/swa:7/sink:4@bf16", "gqa:2/swa:16/sink:1@f16:f32",
  "mqa/hybrid:2:1:8/cla:2@f32", "mla:16+8/swa:16@bf16", "mla:24+8x2@f16:f32",
  "mla:16+8/hybrid:1:1:5/sink:5@f32:bf16", "mla:15+2/swa:3@fixed:4:f16",
  "gqa:2/alternate:6/all@f32:fixed:4",
  "[mha*2,mla:16+8/swa:7*2,mqa/swa:1/sink:1,mqa@fixed:4]",
]

let cacheStorages: [CacheStorage] = [
  .contiguous, .ring, .paged(pageTokens: 1), .paged(pageTokens: 3), .paged(pageTokens: 16),
]

@Suite("A cache behaves like an array of rows")
struct CacheModelTests {
  @Test(
    "whatever is appended, truncated, forked and released in whatever order",
    arguments: cacheNotations, cacheStorages)
  func randomCalls(notation: String, storage: CacheStorage) throws {
    var random = SeededGenerator(seed: 7)
    let plan = CachePlan(storage: storage, sequences: 4, capacity: 70, maxChunk: 6)
    let modelled = try ModelledCache(notation, plan)
    let hasWindow = modelled.layouts.contains { $0.reach.window != nil }
    let wraps = hasWindow && storage != .contiguous
    /// Tokens of the last extension: rolling them back must always work.
    var lastChunk: [Int: Int] = [:]
    for step in 0..<260 {
      let open = modelled.sequences.keys.sorted()
      let comment = "step \(step)"
      guard let sequence = open.randomElement(using: &random) else {
        _ = try modelled.add()
        continue
      }
      let length = modelled.sequences[sequence]?.count ?? 0
      switch Int.random(in: 0..<20, using: &random) {
      case 0..<11:
        let count = Int.random(in: 0...6, using: &random)
        if length + count <= 70 {
          try modelled.append(sequence, count)
          lastChunk[sequence] = count
          modelled.check(sequence, back: count, comment)
        } else {
          #expect(throws: CacheError.self) { try modelled.append(sequence, count) }
        }
      case 11...12:
        let target = length - min(length, lastChunk[sequence] ?? 0)
        try modelled.truncate(sequence, to: target)
        lastChunk[sequence] = 0
      case 13...14:
        let target = Int.random(in: 0...length, using: &random)
        do {
          try modelled.truncate(sequence, to: target)
          lastChunk[sequence] = 0
        } catch {
          guard case CacheError.windowOverwritten = error, wraps else { throw error }
        }
      case 15...16:
        if open.count < 4 {
          lastChunk[try modelled.add()] = 0
        } else {
          #expect(throws: CacheError.self) { try modelled.add() }
        }
      case 17...18:
        let target = max(0, length - Int.random(in: 0...3, using: &random))
        do {
          lastChunk[try modelled.fork(sequence, at: target)] = 0
        } catch {
          switch error {
          case CacheError.windowOverwritten where wraps: break
          case CacheError.noFreeSequence where open.count == 4: break
          default: throw error
          }
        }
      default:
        try modelled.release(sequence)
        lastChunk[sequence] = nil
        #expect(throws: CacheError.self) { try modelled.cache.length(of: sequence) }
      }
      modelled.check(nil, back: 0, comment)
    }
    // Nothing has leaked: all sequences find room to their full length at once.
    for sequence in modelled.sequences.keys { try modelled.release(sequence) }
    let all = try (0..<4).map { _ in try modelled.add() }
    for _ in 0..<14 {
      for sequence in all { try modelled.append(sequence, 5) }
    }
    modelled.check()
    #expect(modelled.cache.allocatedBytes == modelled.cache.footprint.rowBytes)
    #expect(modelled.cache.metadataBytes == modelled.cache.footprint.metadataBytes)
  }

  @Test("a fork and its parent diverge without touching each other", arguments: cacheStorages)
  func forks(storage: CacheStorage) throws {
    for notation in cacheNotations {
      for length in [0, 1, 15, 16, 17, 33] {
        let plan = CachePlan(storage: storage, sequences: 3, capacity: 64, maxChunk: 4)
        let modelled = try ModelledCache(notation, plan)
        let parent = try modelled.add()
        for _ in 0..<length { try modelled.append(parent, 1) }
        let first = try modelled.fork(parent, at: length)
        let second = try modelled.fork(first, at: length)
        for count in [1, 3, 2] {
          for sequence in [first, parent, second] {
            try modelled.append(sequence, count)
            modelled.check(sequence, back: count, "\(notation) forked at \(length)")
            modelled.check(nil, "\(notation) forked at \(length)")
          }
        }
        try modelled.release(parent)
        try modelled.append(first, 4)
        modelled.check(first, back: 4)
        modelled.check(second)
      }
    }
  }

  @Test("paged forks share whole pages and copy only the one that is written to")
  func sharedPages() throws {
    let plan = CachePlan(storage: .paged(pageTokens: 4), sequences: 2, capacity: 32)
    let modelled = try ModelledCache("mqa", plan)
    let parent = try modelled.add()
    try modelled.append(parent, 10)
    let fork = try modelled.fork(parent, at: 10)
    func pages(_ sequence: Int, _ tokens: Int) -> [Int] {
      let reader = StreamReader(modelled.cache.layer(0).view(sequence: sequence, stream: 0))
      return stride(from: 0, to: tokens, by: 4).compactMap { reader.page(of: $0) }
    }
    #expect(pages(fork, 10) == pages(parent, 10))
    try modelled.append(fork, 1)
    #expect(pages(fork, 8) == pages(parent, 8))
    #expect(pages(fork, 10)[2] != pages(parent, 10)[2])
    let own = pages(parent, 10)
    try modelled.append(parent, 1)
    #expect(pages(parent, 10) == own, "the last holder of a page writes in place")
  }

  @Test(
    "a window of one token can be cut back into a page that it has given back",
    arguments: ["mha/swa:1", "mqa/swa:1/sink:3@f32"])
  func windowOfOne(notation: String) throws {
    for target in 0..<40 {
      let plan = CachePlan(
        storage: .paged(pageTokens: 16), sequences: 1, capacity: 64, maxChunk: 5)
      let modelled = try ModelledCache(notation, plan)
      let sequence = try modelled.add()
      for _ in 0..<40 { try modelled.append(sequence, 1) }
      do { try modelled.truncate(sequence, to: target) } catch CacheError.windowOverwritten {
        continue
      }
      for count in [1, 5, 2, 5] {
        try modelled.append(sequence, count)
        modelled.check(sequence, back: count, "cut back to \(target)")
      }
    }
  }
}

@Suite("A cache refuses and stays as it was")
struct CacheErrorTests {
  /// What a refused call must not change: lengths, rows, bytes, and which truncations work.
  private func expectUntouched(
    _ modelled: ModelledCache, _ call: () throws -> Void,
    at place: SourceLocation = #_sourceLocation
  ) -> CacheError? {
    let allocated = modelled.cache.allocatedBytes
    let error = #expect(throws: CacheError.self, sourceLocation: place) { try call() }
    modelled.check(at: place)
    #expect(modelled.cache.allocatedBytes == allocated, sourceLocation: place)
    return error
  }

  @Test("what it has no room for", arguments: cacheStorages)
  func noRoom(storage: CacheStorage) throws {
    let plan = CachePlan(storage: storage, sequences: 2, capacity: 40, maxChunk: 4)
    let modelled = try ModelledCache("gqa:2/hybrid:1:1:8/sink:2", plan)
    let sequence = try modelled.add()
    for _ in 0..<9 { try modelled.append(sequence, 4) }
    let cache = modelled.cache
    func message(_ call: () throws -> Void) -> String? {
      expectUntouched(modelled, call)?.description
    }
    #expect(
      message { try cache.extend(sequence, by: 5) }
        == "41 tokens do not fit into a cache made for 40")
    #expect(
      message { try cache.extend(sequence, by: .max) }
        == "\(Int.max) tokens do not fit into a cache made for 40")
    #expect(message { try cache.extend(sequence, by: -1) } == "-1 tokens cannot be appended")
    #expect(message { try cache.extend(sequence, by: .min) } != nil)
    #expect(
      message { try cache.truncate(sequence, to: 37) }
        == "token 37 lies outside the sequence's 36 tokens")
    #expect(
      message { try cache.truncate(sequence, to: -1) }
        == "token -1 lies outside the sequence's 36 tokens")
    #expect(message { _ = try cache.fork(sequence, at: 37) } != nil)
    for stranger in [1, 2, -1, Int.max, Int.min] {
      let text = "sequence \(stranger) is not open"
      #expect(message { _ = try cache.length(of: stranger) } == text)
      #expect(message { try cache.extend(stranger, by: 1) } == text)
      #expect(message { try cache.truncate(stranger, to: 0) } == text)
      #expect(message { _ = try cache.fork(stranger, at: 0) } == text)
      #expect(message { try cache.release(stranger) } == text)
    }
    _ = try modelled.add()
    #expect(message { _ = try cache.addSequence() } == "all 2 sequences of the cache are in use")
    #expect(
      message { _ = try cache.fork(sequence, at: 36) }
        == "all 2 sequences of the cache are in use")
    // After all that the last chunk can still be rolled back.
    try modelled.truncate(sequence, to: 32)
    modelled.check()
  }

  @Test("a chunk longer than its windows were made for", arguments: cacheStorages)
  func longChunks(storage: CacheStorage) throws {
    let plan = CachePlan(storage: storage, sequences: 1, capacity: 64, maxChunk: 4)
    let modelled = try ModelledCache("gqa:2/swa:6", plan)
    let sequence = try modelled.add()
    for _ in 0..<8 { try modelled.append(sequence, 4) }
    guard storage != .contiguous else { return try modelled.append(sequence, 20) }
    let error = expectUntouched(modelled) { try modelled.cache.extend(sequence, by: 5) }
    #expect(error?.description == "5 tokens at once, the cache was made for chunks of 4")
    try modelled.truncate(sequence, to: 28)
    modelled.check()
  }

  @Test("any chunk fits where every layer is global", arguments: cacheStorages)
  func globalChunks(storage: CacheStorage) throws {
    let plan = CachePlan(storage: storage, sequences: 1, capacity: 64, maxChunk: 4)
    let modelled = try ModelledCache("gqa:2", plan)
    try modelled.append(modelled.add(), 64)
    modelled.check()
  }

  @Test("a truncation whose window is overwritten: exactly those that a ring has lost")
  func overwrittenRings() throws {
    for (window, sinks, chunk) in [(8, 0, 1), (8, 0, 5), (8, 3, 5), (2, 0, 3), (16, 1, 4)] {
      for length in [20, 29, 40, 47] {
        for target in 0...length {
          let plan = CachePlan(storage: .ring, sequences: 1, capacity: 64, maxChunk: chunk)
          let modelled = try ModelledCache(
            "mqa/swa:\(window)" + (sinks > 0 ? "/sink:\(sinks)" : ""), plan)
          let sequence = try modelled.add()
          while modelled.sequences[sequence]?.count ?? 0 < length {
            try modelled.append(
              sequence, min(chunk, length - (modelled.sequences[sequence]?.count ?? 0)))
          }
          // The ring holds the last W − 1 + chunk tokens; the next query needs W − 1 and the sinks.
          let held = length - (window - 1 + chunk)
          let needed = max(target - window + 1, sinks)
          if needed >= held || needed >= target {
            try modelled.truncate(sequence, to: target)
            modelled.check()
          } else {
            let error = expectUntouched(modelled) {
              try modelled.cache.truncate(sequence, to: target)
            }
            guard case .windowOverwritten(target, _) = error else {
              Issue.record("truncation to \(target) of \(length): \(String(describing: error))")
              continue
            }
            _ = expectUntouched(modelled) { _ = try modelled.cache.fork(sequence, at: target) }
          }
        }
      }
    }
  }
}

@Suite("A cache takes the bytes that its footprint says")
struct FootprintTests {
  @Test("rows and tables, byte for byte", arguments: cacheNotations, cacheStorages)
  func bytes(notation: String, storage: CacheStorage) throws {
    for (capacity, chunk) in [(1, 1), (7, 64), (16, 3), (50, 6), (1_000, 16)] {
      let plan = CachePlan(storage: storage, sequences: 3, capacity: capacity, maxChunk: chunk)
      let layouts = try AxisRegistry.extended.layouts(notation, on: .small)
      let cache = try KVCache(layouts: layouts, plan: plan)
      for _ in 0..<3 { _ = try cache.addSequence() }
      let footprint = cache.footprint
      #expect(footprint == CacheFootprint(layouts: layouts, plan: plan))
      #expect(cache.allocatedBytes == footprint.rowBytes)
      #expect(cache.metadataBytes == footprint.metadataBytes)
      #expect(footprint.totalBytes == footprint.rowBytes + footprint.metadataBytes)
      let ideal = 3 * layouts.reduce(0) { $0 + $1.idealBytes(context: capacity) }
      #expect(ideal <= footprint.rowBytes)
      // No more than the claim, the stated reservation of windows and pages, and rounding.
      let reserved = layouts.reduce(0) {
        $0 + $1.idealBytesPerToken * RowReservation($1, plan: plan).rows
      }
      #expect(footprint.rowBytes == 3 * reserved + footprint.roundingBytes)
      #expect(footprint.roundingBytes < 4_096 * 3 * LayerKind.kinds(of: layouts).count)
    }
  }

  @Test("large regions of keys and values are no power of two apart, and the footprint says so")
  func distance() throws {
    for (capacity, distance) in [(16_384, 64 << 10), (16_383, 0)] {
      let layouts = (0..<2).map { layer in
        KVLayout(
          layer: layer, owner: layer, heads: .grouped(keyValueHeads: 4),
          shape: RowShape(
            streams: 4, keyWidth: 64, valueWidth: 64, valueIsKeyPrefix: false,
            queryHeadsPerStream: 1),
          reach: Reach(), codec: CodecPair(Float16Codec()))
      }
      let keys = 4 * capacity * 128
      let cache = try KVCache(
        layouts: layouts, plan: CachePlan(storage: .contiguous, sequences: 1, capacity: capacity))
      let sequence = try cache.addSequence()
      for layer in 0..<2 {
        let stream = cache.layer(layer).view(sequence: sequence, stream: 0).raw
        let from = try #require(stream.keys), to = try #require(stream.values)
        #expect(to - from == keys + distance)
      }
      #expect(cache.allocatedBytes == cache.footprint.rowBytes)
      #expect(cache.footprint.rowBytes - cache.footprint.roundingBytes == 4 * keys)
      #expect(cache.footprint.roundingBytes >= 2 * distance)
      #expect(cache.footprint.roundingBytes < 2 * distance + 4_096)
    }
  }

  @Test("an empty sequence of a contiguous cache costs nothing until it is opened")
  func lazily() throws {
    let plan = CachePlan(storage: .contiguous, sequences: 3, capacity: 64)
    let cache = try KVCache(layouts: AxisRegistry.standard.layouts("mha", on: .small), plan: plan)
    #expect(cache.allocatedBytes == 0)
    let sequence = try cache.addSequence()
    #expect(cache.allocatedBytes == cache.footprint.rowBytes / 3)
    try cache.release(sequence)
    #expect(cache.allocatedBytes == 0)
  }

  @Test(
    "a ring holds its window, the chunk and the sinks, whatever the context",
    arguments: [("mha/swa:16", 16), ("mha/swa:16/sink:4", 20), ("mla:16+8/swa:1", 1)])
  func rings(notation: String, visible: Int) throws {
    let layout = try AxisRegistry.standard.layouts(notation, on: .small)[0]
    for capacity in [1_000, 100_000, 1 << 30] {
      let plan = CachePlan(storage: .ring, sequences: 1, capacity: capacity, maxChunk: 8)
      let reservation = RowReservation(layout, plan: plan)
      #expect(reservation.rows == visible - 1 + 8)
      let cache = try KVCache(layouts: [layout], plan: plan)
      _ = try cache.addSequence()
      #expect(cache.allocatedBytes <= (visible + 7) * layout.rowBytesPerToken + 4_095)
    }
    // Where the context is no longer than that there is nothing to wrap.
    let short = CachePlan(storage: .ring, sequences: 1, capacity: visible + 7, maxChunk: 8)
    #expect(RowReservation(layout, plan: short).ringRows == 0)
  }

  @Test("pages of a hybrid's window layers do not grow with the context")
  func hybridPages() throws {
    let layouts = try AxisRegistry.standard.layouts("mha/hybrid:2:1:8", on: .small)
    func rows(_ capacity: Int) -> [Int] {
      let plan = CachePlan(
        storage: .paged(pageTokens: 16), sequences: 1, capacity: capacity, maxChunk: 8)
      return layouts.map { RowReservation($0, plan: plan).rows }
    }
    #expect(rows(1_024) == [32, 32, 1_024, 32, 32, 1_024])
    #expect(rows(65_536) == [32, 32, 65_536, 32, 32, 65_536])
  }

  @Test(
    "a window's pages suffice at the worst alignment and none is reserved in vain",
    arguments: [1, 2, 3, 4, 5, 8, 16])
  func windowPages(pageTokens: Int) throws {
    for window in [1, 2, 3, 4, 7, 8, 9, 16] {
      for sinks in [0, 1, 2, 3, 4, 5] {
        for chunk in [1, 2, 3, 5, 8] {
          let capacity = 6 * 16 + 40
          let plan = CachePlan(
            storage: .paged(pageTokens: pageTokens), sequences: 1, capacity: capacity,
            maxChunk: chunk)
          let layout = KVLayout(
            layer: 0, owner: 0, heads: .grouped(keyValueHeads: 1),
            shape: RowShape(
              streams: 1, keyWidth: 1, valueWidth: 1, valueIsKeyPrefix: false,
              queryHeadsPerStream: 1),
            reach: Reach(window: window, sinks: sinks), codec: CodecPair(Float16Codec()))
          let reserved = RowReservation(layout, plan: plan).pages
          var most = 0
          for start in 0..<2 * pageTokens {
            let cache = try KVCache(layouts: [layout], plan: plan)
            let sequence = try cache.addSequence()
            // Single tokens to the alignment, then whole chunks to the end.
            var length = 0
            while length + chunk <= capacity {
              let count = length < start ? 1 : chunk
              try cache.extend(sequence, by: count)
              length += count
              let reader = StreamReader(cache.layer(0).view(sequence: sequence, stream: 0))
              let held = stride(from: 0, to: length, by: pageTokens)
                .filter { (reader.page(of: $0) ?? -1) >= 0 }
              most = max(most, held.count)
            }
          }
          #expect(
            most == reserved,
            "page \(pageTokens), window \(window), sinks \(sinks), chunk \(chunk)")
        }
      }
    }
  }
}
