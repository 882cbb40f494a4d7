import ZooMemory

/// Why a cache refused a call.
public enum CacheError: Error, Sendable, CustomStringConvertible {
  /// The system gave no memory.
  case outOfMemory(bytes: Int)
  /// The pool of a layer kind has no free page.
  case outOfPages(pages: Int)
  /// A sequence would grow past the capacity that the cache was made for.
  case capacityExceeded(tokens: Int, capacity: Int)
  /// More tokens at once than the cache was made for.
  case chunkTooLong(tokens: Int, maxChunk: Int)
  /// All sequences that the cache was made for are in use.
  case noFreeSequence(sequences: Int)
  /// No such sequence is open.
  case unknownSequence(Int)
  /// Truncation or fork at a point whose window is already overwritten.
  case windowOverwritten(token: Int, firstHeld: Int)
  /// A call's tokens would cross the end of a group that is quantised together.
  case groupCrossed(token: Int, tokens: Int, groupTokens: Int)
  /// Truncation or fork within a group that is quantised already.
  case groupQuantised(token: Int, quantised: Int)
  /// Pages do not hold whole groups of tokens.
  case pageNotWholeGroups(pageTokens: Int, groupTokens: Int)
  /// Fewer than no tokens appended.
  case negativeCount(Int)
  /// Truncation, fork or query outside the tokens of a sequence.
  case pastEnd(token: Int, length: Int)

  public var description: String {
    switch self {
    case .outOfMemory(let bytes):
      "out of memory: \(bytes) bytes of cache could not be allocated"
    case .outOfPages(let pages):
      "out of cache pages: all \(pages) are in use"
    case .capacityExceeded(let tokens, let capacity):
      "\(tokens) tokens do not fit into a cache made for \(capacity)"
    case .chunkTooLong(let tokens, let maxChunk):
      "\(tokens) tokens at once, the cache was made for chunks of \(maxChunk)"
    case .noFreeSequence(let sequences):
      "all \(sequences) sequences of the cache are in use"
    case .unknownSequence(let sequence):
      "sequence \(sequence) is not open"
    case .windowOverwritten(let token, let firstHeld):
      "the window before token \(token) is already overwritten; rows before \(firstHeld) are gone"
    case .pastEnd(let token, let length):
      "token \(token) lies outside the sequence's \(length) tokens"
    case .groupCrossed(let token, let tokens, let groupTokens):
      "\(tokens) tokens from \(token) on cross a multiple of \(groupTokens), the tokens that the codec "
        + "quantises together"
    case .groupQuantised(let token, let quantised):
      "the group of token \(token) is quantised; what is before \(quantised) can be cut between groups "
        + "only"
    case .pageNotWholeGroups(let pageTokens, let groupTokens):
      "pages of \(pageTokens) tokens hold no whole groups; expected a multiple of \(groupTokens)"
    case .negativeCount(let tokens):
      "\(tokens) tokens cannot be appended"
    }
  }
}
