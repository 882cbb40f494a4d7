import AttentionCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

// Usage: UseFromSwift [notation]. Prints what a variant caches on the geometry of Llama-3.2-1B,
// makes a cache, appends rows, attends, and checks the result against plain float64 arithmetic.

let geometry = ModelGeometry(
  name: "llama-3.2-1b", layers: 16, hidden: 2_048, queryHeads: 32, keyValueHeads: 8, headWidth: 64,
  mlpWidth: 8_192, vocabulary: 128_256, tiedEmbeddings: true, maxPositions: 131_072)
let registry = AxisRegistry.standard.adding(LateGlobal.self)
let notation = CommandLine.arguments.dropFirst().first ?? "gqa:8/cla:2/late:2:256/sink:4@f16:bf16"

func run(_ notation: String) throws {
  let variant = try registry.variant(notation)
  let layouts = try variant.layouts(for: geometry)
  describe(variant, layouts)

  // Two sequences of up to 1,024 tokens, in pages of 16; at most 64 tokens are appended at once.
  let plan = CachePlan(storage: .paged(pageTokens: 16), sequences: 2, capacity: 1_024, maxChunk: 64)
  let cache = try KVCache(layouts: layouts, plan: plan)
  let sequence = try cache.addSequence()
  for start in stride(from: 0, to: 640, by: 64) {
    try append(64, at: start, to: sequence, of: cache)
  }
  let length = try cache.length(of: sequence)
  let ideal = layouts.reduce(0) { $0 + $1.idealBytes(context: length) }
  print("\n\(length) tokens: ideal \(ideal) bytes; two sequences of 1,024 tokens allocated")
  print("  \(cache.allocatedBytes) bytes of rows, \(cache.metadataBytes) of metadata")
  print("largest error of attend against float64: \(try largestError(sequence, of: cache))")

  // A fork shares pages until either side writes.
  let child = try cache.fork(sequence, at: 630)
  try append(10, at: 630, to: child, of: cache)
  let forked = try cache.length(of: child)
  print("a fork at 630 with 10 appended: \(forked) tokens,")
  print("  largest error \(try largestError(child, of: cache))")
}

func describe(_ variant: Variant, _ layouts: [KVLayout]) {
  print("\(variant) on \(geometry.name)")
  print("layer owner streams key+value  reach           bytes of its rows a token")
  for layout in layouts {
    let shape = layout.shape
    let values = shape.valueIsKeyPrefix ? "prefix \(shape.valueWidth)" : "\(shape.valueWidth)"
    let reach = layout.reach.window.map { "window \($0)+\(layout.reach.sinks)" } ?? "global"
    let columns = [
      (String(layout.layer), 5), (String(layout.owner), 5), (String(shape.streams), 7),
      ("\(shape.keyWidth)+\(values)", 10), (reach, 15), (String(layout.rowBytesPerToken), 0),
    ]
    print(
      columns.map { text, width in
        text + String(repeating: " ", count: max(0, width - text.count))
      }.joined(separator: " "))
  }
  let inside = layouts.reduce(0) { $0 + $1.idealBytesPerToken }
  let past = layouts.reduce(0) { $0 + ($1.reach.window == nil ? $1.idealBytesPerToken : 0) }
  let read = layouts.reduce(0) { $0 + $1.readBytes(context: 8_192) }
  let stored = layouts.reduce(0) { $0 + $1.idealBytes(context: 8_192) }
  print("bytes a token: \(inside) inside every window, \(past) past them")
  print("at 8,192 tokens: \(stored) bytes ideal, \(read) read by a decode step")
}

/// Makes room for tokens in all layers, then gives their rows to the layers that own some.
func append(_ count: Int, at start: Int, to sequence: Int, of cache: KVCache) throws {
  try cache.extend(sequence, by: count)
  for layout in cache.layouts where layout.ownsRows {
    let shape = layout.shape
    let rows = Rows(layer: layout.layer, shape: shape)
    let tokens = start..<start + count
    let keys = tokens.flatMap { token in
      (0..<shape.streams).flatMap { rows.key(stream: $0, token: token) }
    }
    let values = tokens.flatMap { token in
      (0..<shape.streams).flatMap { rows.value(stream: $0, token: token) }
    }
    // The value of a latent row is a prefix of its key: no values are handed over.
    values.withUnsafeBufferPointer { values in
      cache.layer(layout.layer).append(
        sequence: sequence, start: start, count: count, keys: keys,
        keyStride: shape.streams * shape.keyWidth,
        values: shape.valueIsKeyPrefix ? nil : values.baseAddress,
        valueStride: shape.streams * shape.valueWidth)
    }
  }
}

/// Attends the last token of a sequence in every layer, all heads of a stream at once.
func largestError(_ sequence: Int, of cache: KVCache) throws -> Double {
  let position = try cache.length(of: sequence) - 1
  var largest = 0.0
  for layout in cache.layouts {
    let (shape, reach) = (layout.shape, layout.reach)
    let owner = Rows(layer: layout.owner, shape: shape)
    let scale = 1 / Float(shape.keyWidth).squareRoot()
    // The tokens in reach: sinks that the window has left behind, and the window.
    let begin = reach.windowStart(at: position)
    let ranges = [TokenRange(0, min(reach.sinks, begin)), TokenRange(begin, position + 1)]
    for stream in 0..<shape.streams {
      let view = cache.layer(layout.layer).view(sequence: sequence, stream: stream)
      let heads = shape.queryHeadsPerStream
      let workspace = UnsafeMutableRawPointer.allocate(
        byteCount: attendWorkspaceBytes(rows: heads, view: view), alignment: 64)
      defer { workspace.deallocate() }
      let queries = owner.queries(stream: stream, token: position)
      var out = [Float](repeating: 0, count: heads * shape.valueWidth)
      attend(
        queries: queries, rows: heads, queryStride: shape.keyWidth, view: view,
        ranges: ranges.filter { $0.begin < $0.end }, scale: scale, out: &out,
        outStride: shape.valueWidth, workspace: workspace)
      // One head of each stream is checked.
      let expected = reference(
        owner, stream: stream, head: heads - 1, position: position, reach: reach, scale: scale)
      for (index, value) in expected.enumerated() {
        largest = max(largest, abs(value - Double(out[(heads - 1) * shape.valueWidth + index])))
      }
    }
  }
  return largest
}

do {
  try run(notation)
} catch {
  print(error)
  exit(error is NotationError ? 64 : 70)
}
