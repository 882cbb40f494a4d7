/// How the rows of a sequence are addressed. Independent of the variant and of the codec.
public enum CacheStorage: Sendable, Hashable {
  /// Room for every token of the capacity, one block a sequence, window layers included.
  case contiguous
  /// Window layers in rings of about their window, global layers contiguous.
  case ring
  /// Pages of a fixed number of tokens from a pool, with a table a sequence and layer kind;
  /// window layers give back pages that no later query sees.
  case paged(pageTokens: Int)

  /// The name in result rows.
  public var name: String {
    switch self {
    case .contiguous: "contiguous"
    case .ring: "ring"
    case .paged: "paged"
    }
  }

  /// Tokens a page, for paged storage.
  public var pageTokens: Int? {
    if case .paged(let tokens) = self { tokens } else { nil }
  }
}

/// How much a cache is made for.
public struct CachePlan: Sendable, Hashable {
  public var storage: CacheStorage
  /// Sequences held at once.
  public var sequences: Int
  /// Most tokens of one sequence.
  public var capacity: Int
  /// Most tokens appended to one sequence at once: what a ring needs beyond its window.
  public var maxChunk: Int

  /// - Precondition: all numbers positive.
  public init(storage: CacheStorage = .ring, sequences: Int, capacity: Int, maxChunk: Int = 64) {
    precondition(sequences > 0 && capacity > 0 && maxChunk > 0, "a cache plan has positive sizes")
    if case .paged(let tokens) = storage { precondition(tokens > 0, "a page has tokens") }
    self.storage = storage
    self.sequences = sequences
    self.capacity = capacity
    self.maxChunk = maxChunk
  }
}
