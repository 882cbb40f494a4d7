/// What a store remembers of one sequence.
struct SequenceState {
  /// Tokens appended and not truncated, those included that a window has left behind.
  var length = 0
  /// First token past the sinks whose row is still held.
  var firstHeld = 0
  /// What is quantised in groups.
  var quantised: (keys: QuantisedGroups, values: QuantisedGroups)

  /// An empty sequence.
  init(_ layout: KVLayout) {
    quantised = (
      QuantisedGroups(groupTokens: layout.keys.groupTokens),
      QuantisedGroups(groupTokens: layout.values?.groupTokens)
    )
  }

  /// Bytes a sequence, for the metadata account.
  static let bytes = MemoryLayout<SequenceState>.stride

  /// Throws where `count` more tokens would cross the end of a group of tokens.
  func checkExtension(by count: Int) throws(CacheError) {
    try quantised.keys.checkExtension(from: length, by: count)
    try quantised.values.checkExtension(from: length, by: count)
  }

  /// Counts `count` more tokens in. Tells for which side a group of tokens is complete by that.
  mutating func extend(by count: Int) -> (keys: Bool, values: Bool) {
    let completed = (
      keys: quantised.keys.extend(from: length, by: count),
      values: quantised.values.extend(from: length, by: count)
    )
    length += count
    return completed
  }

  /// Shortens to `newLength`, where the next query must still find its window.
  mutating func truncate(to newLength: Int, reach: Reach) throws(CacheError) {
    guard newLength >= 0, newLength <= length else {
      throw .pastEnd(token: newLength, length: length)
    }
    let needed = max(reach.windowStart(at: newLength), reach.sinks)
    guard needed >= newLength || needed >= firstHeld else {
      throw .windowOverwritten(token: newLength, firstHeld: firstHeld)
    }
    var groups = quantised
    try groups.keys.truncate(to: newLength)
    try groups.values.truncate(to: newLength)
    quantised = groups
    length = newLength
    firstHeld = min(firstHeld, newLength)
  }

  /// Throws where queries at tokens `start ..< start + count` would not find what they see.
  func checkQueries(start: Int, count: Int, reach: Reach) throws(CacheError) {
    guard start >= 0, count >= 0, start <= length, count <= length - start else {
      throw .pastEnd(token: start, length: length)
    }
    let needed = max(reach.windowStart(at: start), reach.sinks)
    guard needed >= firstHeld || start + count <= reach.sinks else {
      throw .windowOverwritten(token: start, firstHeld: firstHeld)
    }
  }
}
