/// A token that stands for its text wherever that occurs, before anything is cut or merged.
struct AddedToken: Sendable, Hashable {
  var id: Int32
  /// What is looked for, UTF-8; never empty.
  var content: [UInt8]
  /// Only where no letter, mark, digit or low line touches it.
  var isSingleWord = false
  /// Takes the white space before it along.
  var stripsLeft = false
  /// Takes the white space after it along.
  var stripsRight = false
  /// Looked for in normalised text.
  var isNormalised = false
}

/// Finds added tokens: the leftmost first, of those that start together the longest.
struct AddedTokenMatcher: Sendable {
  /// A stretch of text: an added token, or text to be cut and merged.
  struct Part: Sendable, Hashable {
    var token: Int32?
    var range: Range<Int>
  }

  private let tokens: [AddedToken]
  /// A tree over bytes: the node after a node and a byte.
  private var children: [UInt64: Int32] = [:]
  /// The token that ends at each node; −1 for none.
  private var ending: [Int32] = [-1]
  private var isFirst = [Bool](repeating: false, count: 256)

  init(_ tokens: [AddedToken]) {
    self.tokens = tokens
    for (index, token) in tokens.enumerated() {
      var node: Int32 = 0
      for byte in token.content {
        let key = Self.key(node, byte)
        if let child = children[key] {
          node = child
        } else {
          node = Int32(ending.count)
          children[key] = node
          ending.append(-1)
        }
      }
      ending[Int(node)] = Int32(index)
      isFirst[Int(token.content[0])] = true
    }
  }

  private static func key(_ node: Int32, _ byte: UInt8) -> UInt64 {
    UInt64(node) << 8 | UInt64(byte)
  }

  /// The parts of `text`, in order; none of an empty one.
  func parts(of text: [UInt8]) -> [Part] {
    guard !text.isEmpty else { return [] }
    guard !tokens.isEmpty else { return [Part(range: 0..<text.count)] }
    var parts: [Part] = []
    var end = 0
    var place = 0
    while place < text.count {
      guard isFirst[Int(text[place])], let (index, stop) = longest(text, at: place) else {
        place += 1
        continue
      }
      let token = tokens[index]
      var range = place..<stop
      place = stop
      if token.isSingleWord,
        TextEdges.endsInWord(text, at: range.lowerBound)
          || TextEdges.beginsWord(text, at: range.upperBound)
      {
        continue
      }
      if token.stripsLeft {
        let start = TextEdges.whiteSpaceStart(text, before: range.lowerBound, notBefore: end)
        range = start..<range.upperBound
      }
      if token.stripsRight {
        range = range.lowerBound..<TextEdges.whiteSpaceEnd(text, after: range.upperBound)
      }
      if end < range.lowerBound { parts.append(Part(range: end..<range.lowerBound)) }
      parts.append(Part(token: token.id, range: range))
      end = range.upperBound
    }
    if end < text.count { parts.append(Part(range: end..<text.count)) }
    return parts
  }

  private func longest(_ text: [UInt8], at start: Int) -> (token: Int, end: Int)? {
    var node: Int32 = 0
    var place = start
    var found: (Int, Int)?
    while place < text.count, let child = children[Self.key(node, text[place])] {
      node = child
      place += 1
      if ending[Int(node)] >= 0 { found = (Int(ending[Int(node)]), place) }
    }
    return found
  }
}

/// What lies before and after a place in UTF-8 text.
enum TextEdges {
  /// Where the white space that ends at `place` starts.
  static func whiteSpaceStart(_ text: [UInt8], before place: Int, notBefore least: Int) -> Int {
    var start = place
    while start > least, let (scalar, first) = scalar(text, endingAt: start), first >= least,
      scalar.properties.isWhitespace
    {
      start = first
    }
    return start
  }

  /// Where the white space that starts at `place` ends.
  static func whiteSpaceEnd(_ text: [UInt8], after place: Int) -> Int {
    var end = place
    while let (scalar, next) = scalar(text, startingAt: end), scalar.properties.isWhitespace {
      end = next
    }
    return end
  }

  static func endsInWord(_ text: [UInt8], at place: Int) -> Bool {
    scalar(text, endingAt: place).map { isWord($0.scalar) } ?? false
  }

  static func beginsWord(_ text: [UInt8], at place: Int) -> Bool {
    scalar(text, startingAt: place).map { isWord($0.scalar) } ?? false
  }

  /// Word characters of Unicode Technical Standard 18, annex C.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default: return properties.isAlphabetic || properties.isJoinControl
    }
  }

  private static func scalar(
    _ text: [UInt8], startingAt place: Int
  ) -> (scalar: Unicode.Scalar, end: Int)? {
    guard place < text.count else { return nil }
    let some = TextScalars(Array(text[place..<min(place + 4, text.count)]))
    return Unicode.Scalar(some.scalars[0]).map { ($0, place + Int(some.starts[1])) }
  }

  private static func scalar(
    _ text: [UInt8], endingAt place: Int
  ) -> (scalar: Unicode.Scalar, start: Int)? {
    guard place > 0 else { return nil }
    var start = place - 1
    while start > max(0, place - 4), text[start] & 0xc0 == 0x80 { start -= 1 }
    let some = TextScalars(Array(text[start..<place]))
    guard some.scalars.count == 1 else { return nil }
    return Unicode.Scalar(some.scalars[0]).map { ($0, start) }
  }
}
