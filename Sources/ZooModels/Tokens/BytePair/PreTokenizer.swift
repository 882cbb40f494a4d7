/// Cuts text into the pieces that are merged on their own.
struct PreTokenizer: Sendable {
  /// Which parts of a text a split keeps.
  enum Kept: Sendable {
    /// Matches and what lies between, each as a piece of its own.
    case all
    /// What lies between the matches.
    case gaps
    /// The matches.
    case matches
  }

  /// One step; each works on the pieces of the one before.
  enum Step: Sendable {
    case split(ScalarPattern, keeping: Kept)
    /// A space before every piece that does not begin with one.
    case prefixSpace
  }

  let steps: [Step]

  /// GPT-2's pattern, which `ByteLevel` uses.
  static let byteLevelPattern =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// Calls `body` with the bytes of each piece of `text`.
  func pieces(of text: [UInt8], _ body: (ArraySlice<UInt8>) -> Void) {
    guard !text.isEmpty else { return }
    var text = TextScalars(text)
    var masks = text.scalars.map(ScalarClass.mask)
    var pieces = [0..<text.scalars.count]
    for step in steps {
      switch step {
      case .split(let pattern, let kept):
        pieces = pieces.flatMap { piece in
          Self.cut(
            piece, at: pattern.matches(in: text, masks: masks, range: piece), keeping: kept)
        }
      case .prefixSpace:
        (text, pieces) = Self.prefixed(text, pieces)
        masks = text.scalars.map(ScalarClass.mask)
      }
    }
    for piece in pieces { body(text.bytes(of: piece)) }
  }

  private static func cut(
    _ piece: Range<Int>, at matches: [Range<Int>], keeping kept: Kept
  ) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var end = piece.lowerBound
    for match in matches {
      if kept != .matches, end < match.lowerBound { result.append(end..<match.lowerBound) }
      if kept != .gaps { result.append(match) }
      end = match.upperBound
    }
    if kept != .matches, end < piece.upperBound { result.append(end..<piece.upperBound) }
    return result
  }

  private static func prefixed(
    _ text: TextScalars, _ pieces: [Range<Int>]
  ) -> (TextScalars, [Range<Int>]) {
    var bytes: [UInt8] = []
    var lengths: [Int] = []
    for piece in pieces {
      let needsSpace = text.scalars[piece.lowerBound] != 0x20
      if needsSpace { bytes.append(0x20) }
      bytes += text.bytes(of: piece)
      lengths.append(piece.count + (needsSpace ? 1 : 0))
    }
    var start = 0
    let moved = lengths.map { length in
      defer { start += length }
      return start..<start + length
    }
    return (TextScalars(bytes), moved)
  }
}
