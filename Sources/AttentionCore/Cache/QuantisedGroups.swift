/// Which tokens of a sequence are quantised in groups so far, for keys or for values.
struct QuantisedGroups: Sendable {
  /// Tokens a group; nil where rows stand alone.
  let groupTokens: Int?
  /// First token that is not quantised: a multiple of the group.
  private(set) var end = 0
  init(groupTokens: Int?) { self.groupTokens = groupTokens }

  /// Throws where `count` tokens from `length` on would cross the end of a group.
  func checkExtension(from length: Int, by count: Int) throws(CacheError) {
    guard let groupTokens, count > 0 else { return }
    guard length / groupTokens == (length + count - 1) / groupTokens else {
      throw .groupCrossed(token: length, tokens: count, groupTokens: groupTokens)
    }
  }

  /// Counts tokens `length ..< length + count` in; the queries among them see the groups before
  /// theirs quantised. True where that completes a group, which is then to be quantised.
  mutating func extend(from length: Int, by count: Int) -> Bool {
    guard let groupTokens, count > 0 else { return false }
    let begin = length / groupTokens * groupTokens
    defer { end = begin }
    return begin > end
  }

  /// Forgets the tokens from `length` on. Rows of a quantised group are no longer there as they were
  /// written, which queries of their own group would need.
  mutating func truncate(to length: Int) throws(CacheError) {
    guard let groupTokens else { return }
    guard length >= end || length.isMultiple(of: groupTokens) else {
      throw .groupQuantised(token: length, quantised: end)
    }
    end = min(end, length)
  }
}
