import AttentionCore
import Testing
import ZooMemory

@Suite("Attend equals the float64 sum")
struct AttendTests {
  /// Variants and heads with groups of 1, 3, 4, 7 and 32 query heads a stream.
  static let shapes: [(notation: String, heads: Int, headWidth: Int)] = [
    ("mha", 3, 64), ("mha@f32", 2, 20), ("gqa:2@bf16", 6, 64), ("gqa:2", 8, 16),
    ("gqa:2@f32:f16", 14, 24), ("mqa", 32, 128), ("mqa@f16:bf16", 7, 36), ("mla:48+16", 4, 32),
    ("mla:15+2@f32", 3, 16), ("mla:32+8@f16:f32", 32, 16), ("mla:24+4x2@bf16", 4, 16),
    ("gqa:2@fixed:10", 8, 16), ("mla:16+8@fixed:10:f32", 7, 16),
  ]

  static let reaches = ["", "/swa:1", "/swa:7/sink:4", "/swa:50/sink:1"]

  /// A fresh prompt, a first token, a decode, a chunk, a long decode, an idle sequence.
  static let ragged = [
    (length: 37, queries: 37), (length: 1, queries: 1), (length: 130, queries: 1),
    (length: 66, queries: 5), (length: 333, queries: 1), (length: 20, queries: 0),
  ]

  @Test(
    "over ragged batches of prompts, chunks and decodes",
    arguments: [CacheStorage.contiguous, .ring, .paged(pageTokens: 3), .paged(pageTokens: 16)],
    [1, 2, 3])
  func ragged(storage: CacheStorage, threads: Int) throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: threads))
    for shape in Self.shapes {
      for reach in Self.reaches {
        let parts = shape.notation.split(separator: "@", maxSplits: 1).map(String.init)
        let notation = parts[0] + reach + (parts.count > 1 ? "@" + parts[1] : "")
        let attended = try AttendCase(
          notation, heads: shape.heads, headWidth: shape.headWidth, storage: storage,
          asked: Self.ragged)
        let error = difference(try attended.attended(executor), attended.reference())
        #expect(error < attendTolerance, "\(notation), \(storage), \(threads) threads: \(error)")
      }
    }
  }

  @Test(
    "where a long context is split among threads",
    arguments: ["gqa:2", "mla:112+16", "mqa/swa:1500/sink:100@f32", "mha@fixed:10"], [1, 2, 3])
  func split(notation: String, threads: Int) throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: threads))
    for asked in [[(length: 4_000, queries: 1)], [(3_000, 40), (17, 1), (2_500, 1)]] {
      var attended = try AttendCase(notation, heads: 4, headWidth: 64, asked: asked)
      attended.options.sinkLogits = [0.5, -2, 1, 3]
      let error = difference(try attended.attended(executor), attended.reference())
      #expect(error < attendTolerance, "\(error)")
    }
  }

  @Test("at every position around the window and its sinks", arguments: cacheStorages)
  func windowEdges(storage: CacheStorage) throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 1))
    for (window, sinks) in [(1, 0), (1, 2), (2, 0), (7, 4), (8, 1), (5, 16)] {
      for length in 1...30 {
        for queries in [1, 2, 6] where queries <= length {
          let attended = try AttendCase(
            "gqa:2/swa:\(window)" + (sinks > 0 ? "/sink:\(sinks)" : "") + "@f32", storage: storage,
            asked: [(length, queries)], maxChunk: 6)
          let error = difference(try attended.attended(executor), attended.reference())
          #expect(error < attendTolerance, "W \(window) N \(sinks) at \(length): \(error)")
        }
      }
    }
  }

  @Test("with a soft cap, with learned sink logits, with both")
  func options() throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 2))
    for notation in ["mha", "gqa:2/swa:7/sink:2", "mla:16+8@f32"] {
      for cap in [Float(0), 0.5, 30] {
        for logits in [nil, [Float](repeating: -40, count: 4), [-1, 0, 2.5, 60]] {
          var attended = try AttendCase(notation, asked: Self.ragged)
          attended.options.softCap = cap
          attended.options.sinkLogits = logits
          attended.options.scale = 1.5
          let error = difference(try attended.attended(executor), attended.reference())
          #expect(error < 10 * attendTolerance, "\(notation) cap \(cap): \(error)")
        }
      }
    }
  }

  @Test("the value of latent attention is the first part of its row")
  func valuePrefix() throws {
    // One token: the weight is 1 and the output the row's latent, bit for bit.
    let executor = AttendExecutor(pool: WorkerPool(threads: 1))
    let attended = try AttendCase("mla:24+4x2@f32", asked: [(1, 1)])
    let row = StreamReader(attended.cache.layer(0).view(sequence: 0, stream: 0)).key(0)
    let out = try attended.attended(executor)
    for head in 0..<4 { #expect(Array(out[head * 24..<(head + 1) * 24]) == Array(row[..<24])) }
  }
}

@Suite("Attend gives the same again")
struct RepeatedAttendTests {
  @Test("bit for bit, run after run with the same threads", arguments: [1, 2, 3])
  func runs(threads: Int) throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: threads))
    for notation in ["gqa:2", "mla:112+16@f16:f32", "mqa/swa:700/sink:5@bf16"] {
      let attended = try AttendCase(
        notation, headWidth: 64, asked: [(2_000, 1), (90, 70), (900, 1)], maxChunk: 128)
      let first = try attended.attended(executor).map(\.bitPattern)
      for _ in 0..<20 {
        #expect(try attended.attended(executor).map(\.bitPattern) == first)
      }
      let other = AttendExecutor(pool: WorkerPool(threads: threads))
      #expect(try attended.attended(other).map(\.bitPattern) == first)
    }
  }

  @Test("from whatever cache holds the rows")
  func caches() throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 2))
    for notation in ["gqa:2", "gqa:2/swa:50/sink:4", "mla:48+16/swa:33@f16:f32"] {
      var outputs: [[Float]] = []
      for storage in cacheStorages {
        let attended = try AttendCase(
          notation, headWidth: 32, storage: storage, asked: AttendTests.ragged)
        outputs.append(try attended.attended(executor))
      }
      for output in outputs.dropFirst() {
        #expect(difference(output, outputs[0].map(Double.init)) < 2e-6)
      }
    }
  }

  @Test("whether a prompt comes at once, in chunks or token by token")
  func chunks() throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 2))
    for notation in ["gqa:2", "mha/swa:9/sink:3", "mla:16+8@f32"] {
      let whole = try AttendCase(notation, storage: .ring, asked: [(75, 75)], maxChunk: 75)
      let answer = try whole.attended(executor).map(Double.init)
      let shape = whole.layout.shape
      let row = shape.queryHeadsPerStream * shape.valueWidth
      let asked = shape.queryHeadsPerStream * shape.keyWidth
      for chunk in [1, 7, 64] {
        for start in stride(from: 0, to: 75, by: chunk) {
          let count = min(chunk, 75 - start)
          let asks = (0..<shape.streams).map { ($0 * 75 + start) * asked }
          let answers = (0..<shape.streams).map { ($0 * 75 + start) * row }
          var part = try AttendCase(
            notation, storage: .contiguous, asked: [(start + count, count)], maxChunk: 75)
          part.queries = asks.flatMap { whole.queries[$0..<$0 + count * asked] }
          let expected = answers.flatMap { answer[$0..<$0 + count * row] }
          #expect(difference(try part.attended(executor), expected) < attendTolerance)
        }
      }
    }
  }

  @Test("as one call of the primitive over the same ranges")
  func primitive() throws {
    for notation in ["mqa/swa:20/sink:3", "mla:16+8@f16:f32", "mqa@f32"] {
      let attended = try AttendCase(notation, storage: .ring, asked: [(100, 1)], maxChunk: 8)
      let shape = attended.layout.shape
      let view = attended.cache.layer(0).view(sequence: 0, stream: 0)
      let bytes = attendWorkspaceBytes(rows: 4, view: view)
      let workspace = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
      defer { workspace.deallocate() }
      func call(_ ranges: [TokenRange]) -> [Float] {
        var out = [Float](repeating: .nan, count: 4 * shape.valueWidth)
        attend(
          queries: attended.queries, rows: 4, queryStride: shape.keyWidth, view: view,
          ranges: ranges, scale: attended.options.scale, out: &out, outStride: shape.valueWidth,
          workspace: workspace)
        return out
      }
      let visible =
        attended.layout.reach.window == nil
        ? [TokenRange(0, 31), TokenRange(31, 100)] : [TokenRange(0, 3), TokenRange(80, 100)]
      #expect(difference(call(visible), attended.reference()) < attendTolerance)
      #expect(call([]) == [Float](repeating: 0, count: 4 * shape.valueWidth))
      #expect(call([TokenRange(90, 90)]).allSatisfy { $0 == 0 })
    }
  }
}

@Suite("Attend answers only for what the cache holds")
struct AttendRefusalTests {
  @Test("and throws for queries whose rows are gone, missing or a stranger's")
  func refused() throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 1))
    for storage in cacheStorages {
      let attended = try AttendCase(
        "mqa/swa:8/sink:2@f32", storage: storage, asked: [(60, 4), (3, 1)], maxChunk: 4)
      var out = [Float](repeating: 0, count: 4 * 8 * 16)
      let queries = [Float](repeating: 1, count: 4 * 8 * 16)
      func attend(_ sequence: Int, _ start: Int, _ count: Int) -> CacheError? {
        do {
          try executor.attend(
            queries: queries, plan: BatchPlan([(sequence, start, count)]),
            layer: attended.cache.layer(0), options: attended.options, out: &out)
          return nil
        } catch { return error }
      }
      #expect(attend(0, 59, 1) == nil)
      #expect(attend(0, 56, 4) == nil)
      if case .pastEnd(token: 58, length: 60) = attend(0, 58, 3) {
      } else {
        Issue.record("past end")
      }
      if case .pastEnd = attend(0, .max, .max) {} else { Issue.record("past end") }
      if case .pastEnd = attend(0, -1, 1) {} else { Issue.record("before the start") }
      for stranger in [2, -1, Int.max] {
        if case .unknownSequence(stranger) = attend(stranger, 0, 1) {
        } else {
          Issue.record("stranger")
        }
      }
      #expect(attend(1, 0, 3) == nil)
      guard storage != .contiguous else { continue }
      if case .windowOverwritten(token: 20, _) = attend(0, 20, 1) {
      } else {
        Issue.record("overwritten in \(storage)")
      }
    }
  }
}

@Suite("A value that is not a number stays where it is seen")
struct ContainmentTests {
  private static let poisons: [Float] = [.nan, .infinity, -.infinity]

  @Test("in a row outside the window, after the query, or of another sequence")
  func rows() throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 2))
    for notation in ["gqa:2@f32", "gqa:2/swa:9/sink:2", "mla:16+8/swa:9@bf16", "mqa/swa:9@f16:f32"]
    {
      for poison in Self.poisons {
        for poisoned in [0, 1, 2, 5, 20, 39] {
          let clean = try AttendCase(notation, asked: [(40, 40), (40, 1), (40, 40)])
          let expected = clean.reference()
          let shape = clean.layout.shape
          // Token `poisoned` of sequence 0 alone.
          AttendCase.write(
            clean.cache.layer(0), 0, poisoned, 1,
            [Float](repeating: poison, count: shape.streams * shape.keyWidth),
            [Float](repeating: poison, count: shape.streams * shape.valueWidth))
          let out = try clean.attended(executor)
          let row = shape.queryHeadsPerStream * shape.valueWidth
          for stream in 0..<shape.streams {
            for token in 0..<clean.plan.tokens {
              let slice =
                (stream * clean.plan.tokens + token)
                * row..<(stream * clean.plan.tokens + token + 1) * row
              let seen = token < 40 && clean.layout.reach.sees(poisoned, from: token)
              if seen {
                #expect(out[slice].contains { !$0.isFinite } || poison.isInfinite)
              } else {
                #expect(
                  difference(Array(out[slice]), Array(expected[slice])) < attendTolerance,
                  "\(notation): \(poison) of token \(poisoned) reached query \(token)")
              }
            }
          }
        }
      }
    }
  }

  @Test("in one query head")
  func queries() throws {
    let executor = AttendExecutor(pool: WorkerPool(threads: 1))
    for notation in ["gqa:2", "mla:16+8", "mqa@f32"] {
      for asked in [[(length: 30, queries: 1)], [(30, 12)]] {
        var attended = try AttendCase(notation, asked: asked)
        let expected = attended.reference()
        let shape = attended.layout.shape
        attended.queries[shape.keyWidth] = .nan
        let out = try attended.attended(executor)
        let width = shape.valueWidth
        for row in 0..<out.count / width {
          let slice = row * width..<(row + 1) * width
          if row == 1 {
            #expect(out[slice].allSatisfy { $0.isNaN })
          } else {
            #expect(difference(Array(out[slice]), Array(expected[slice])) < attendTolerance)
          }
        }
      }
    }
  }
}
