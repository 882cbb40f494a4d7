import AttentionCore
import Testing
import ZooMemory

/// A cache beside the plainest model of one: an array of rows a sequence. What the cache shows must
/// be what the model remembers, wherever a query may look.
final class ModelledCache {
  /// A token's rows follow from a number that no other token has.
  typealias Identity = UInt64

  let layouts: [KVLayout]
  let plan: CachePlan
  let cache: KVCache
  private(set) var sequences: [Int: [Identity]] = [:]
  private var next: Identity = 1

  init(layouts: [KVLayout], plan: CachePlan) throws {
    self.layouts = layouts
    self.plan = plan
    cache = try KVCache(layouts: layouts, plan: plan)
  }

  convenience init(_ notation: String, _ plan: CachePlan) throws {
    try self.init(
      layouts: AxisRegistry.extended.layouts(notation, on: .small), plan: plan)
  }

  func add() throws -> Int {
    let sequence = try cache.addSequence()
    #expect(sequences[sequence] == nil, "an open sequence was given out again")
    sequences[sequence] = []
    return sequence
  }

  func append(_ sequence: Int, _ count: Int) throws {
    try cache.extend(sequence, by: count)
    let start = sequences[sequence]?.count ?? 0
    for _ in 0..<count {
      sequences[sequence]?.append(next)
      next += 1
    }
    let identities = Array((sequences[sequence] ?? [])[start...])
    for layout in layouts where layout.ownsRows {
      let shape = layout.shape
      let keys = identities.flatMap { identity in
        (0..<shape.streams).flatMap { Self.key(identity, layout, $0) }
      }
      let values = identities.flatMap { identity in
        (0..<shape.streams).flatMap { Self.value(identity, layout, $0) }
      }
      cache.layer(layout.layer).append(
        sequence: sequence, start: start, count: count, keys: keys,
        keyStride: shape.streams * shape.keyWidth,
        values: shape.valueIsKeyPrefix ? nil : values,
        valueStride: shape.streams * shape.valueWidth)
    }
  }

  func truncate(_ sequence: Int, to length: Int) throws {
    try cache.truncate(sequence, to: length)
    sequences[sequence]?.removeSubrange(length...)
  }

  func fork(_ sequence: Int, at length: Int) throws -> Int {
    let copy = try cache.fork(sequence, at: length)
    #expect(sequences[copy] == nil, "an open sequence was given out again")
    sequences[copy] = Array((sequences[sequence] ?? [])[..<length])
    return copy
  }

  func release(_ sequence: Int) throws {
    try cache.release(sequence)
    sequences[sequence] = nil
  }

  /// Whether every row that queries from `position` on see is what the model remembers, in every
  /// sequence and layer. `position` is the next query's; `asked` goes back that many tokens.
  func check(
    _ sequence: Int? = nil, back asked: Int = 0, _ comment: String = "",
    at place: SourceLocation = #_sourceLocation
  ) {
    for (open, identities) in sequences where sequence == nil || sequence == open {
      let length = try? cache.length(of: open)
      #expect(length == identities.count, "\(comment)", sourceLocation: place)
      for layout in layouts {
        let reach = layout.reach
        let owner = layouts[layout.owner]
        let first = reach.windowStart(at: max(0, identities.count - asked))
        let visible =
          Array(0..<min(reach.sinks, identities.count))
          + Array(max(first, reach.sinks)..<max(first, reach.sinks, identities.count))
        for stream in 0..<layout.shape.streams {
          let reader = StreamReader(
            cache.layer(layout.layer).view(sequence: open, stream: stream))
          for token in visible {
            let identity = identities[token]
            guard reader.page(of: token) ?? 0 >= 0,
              reader.key(token) == Self.key(identity, owner, stream),
              reader.value(token) == Self.value(identity, owner, stream)
            else {
              Issue.record(
                "row of token \(token) of \(identities.count), layer \(layout.layer), sequence \(open) is not the one appended: \(comment)",
                sourceLocation: place)
              return
            }
          }
        }
      }
    }
  }

  /// Multiples of 1/8 below 1 in magnitude: every codec of the tests stores them exactly.
  private static func element(_ identity: Identity, _ layer: Int, _ stream: Int, _ index: Int)
    -> Float
  {
    var word = identity &* 0x9E37_79B9_7F4A_7C15
    word ^=
      UInt64(truncatingIfNeeded: (layer * 64 + stream) * 4096 + index) &* 0xD134_2543_DE82_EF95
    word = (word ^ (word >> 29)) &* 0xBF58_476D_1CE4_E5B9
    return Float(Int(word >> 60) - 8) / 8
  }

  static func key(_ identity: Identity, _ layout: KVLayout, _ stream: Int) -> [Float] {
    (0..<layout.shape.keyWidth).map { element(identity, layout.layer, stream, $0) }
  }

  static func value(_ identity: Identity, _ layout: KVLayout, _ stream: Int) -> [Float] {
    let first = layout.shape.valueIsKeyPrefix ? 0 : 2_048
    return (0..<layout.shape.valueWidth).map { element(identity, layout.layer, stream, first + $0) }
  }
}
