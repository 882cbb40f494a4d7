/// Which tokens of which sequences one forward call works on. Ragged batches, prefill, chunked
/// prefill and decode are the same call with other counts.
public struct BatchPlan: Sendable, Hashable {
  /// The tokens of one sequence.
  public struct Entry: Sendable, Hashable {
    /// The sequence in the cache.
    public var sequence: Int
    /// Position of the first token: tokens of the sequence cached before this call.
    public var start: Int
    /// Tokens of this call.
    public var count: Int
    /// Row of the first token in the call's hidden states.
    public var offset: Int
  }

  /// The sequences, in the order of their rows.
  public private(set) var entries: [Entry] = []
  /// Rows of the call, ΣT.
  public private(set) var tokens = 0

  public init() {}

  /// Tokens `start ..< start + count` of each sequence, rows in the order given.
  public init(_ sequences: [(sequence: Int, start: Int, count: Int)]) {
    for item in sequences { append(sequence: item.sequence, start: item.start, count: item.count) }
  }

  /// Adds the tokens of one more sequence.
  public mutating func append(sequence: Int, start: Int, count: Int) {
    entries.append(Entry(sequence: sequence, start: start, count: count, offset: tokens))
    tokens += count
  }

  /// Becomes another plan with some of its sequences only; rows keep their places. The list keeps
  /// its storage, so that a decode loop allocates nothing.
  public mutating func select(from plan: BatchPlan, where include: (Entry) -> Bool) {
    entries.removeAll(keepingCapacity: true)
    for entry in plan.entries where include(entry) { entries.append(entry) }
    tokens = plan.tokens
  }

  /// The plan of the next step of a decode loop: every sequence one token further.
  public mutating func advance() {
    for index in entries.indices { entries[index].start += entries[index].count }
  }
}
