/// Reads the regular expressions of `ScalarPattern`; anything else that Oniguruma knows is refused.
struct ScalarPatternParser {
  private let text: [Unicode.Scalar]
  private var place = 0
  private var depth = 0
  private var ignoresCase = false

  private static let longest = 4_096
  private static let deepest = 8
  private static let mostCount = 1_000
  /// Outside brackets these mean something else than themselves.
  private static let special: Set<Unicode.Scalar> = [
    "(", ")", "[", "]", "{", "}", "?", "*", "+", "|", "^", "$", ".", "\\",
  ]

  init(_ pattern: String) { text = Array(pattern.unicodeScalars) }

  /// The whole pattern.
  mutating func pattern() throws(ScalarPattern.Refusal) -> [[PatternNode]] {
    guard text.count <= Self.longest else {
      throw refusal("\(text.count) characters", "at most \(Self.longest)")
    }
    let result = try alternatives()
    guard place == text.count else { throw refusal("the end of the pattern") }
    guard PatternNode.leastLength(result) > 0 else {
      throw refusal("a pattern that matches nothing", "one that matches at least one character")
    }
    return result
  }

  private mutating func alternatives() throws(ScalarPattern.Refusal) -> [[PatternNode]] {
    var result = [try sequence()]
    while take("|") { result.append(try sequence()) }
    return result
  }

  private mutating func sequence() throws(ScalarPattern.Refusal) -> [PatternNode] {
    var nodes: [PatternNode] = []
    while let next = peek, next != "|", next != ")" { nodes.append(try item()) }
    return nodes
  }

  private mutating func item() throws(ScalarPattern.Refusal) -> PatternNode {
    if take("(") { return try group() }
    let set: ScalarSet
    if take("[") {
      set = try brackets()
    } else if take("\\") {
      set = try escape()
    } else {
      guard let scalar = peek, !Self.special.contains(scalar) else {
        throw refusal("a character, a class such as [^\\s\\p{L}] or a group")
      }
      place += 1
      set = try literal(scalar)
    }
    let (least, most) = try count()
    return .set(set, least: least, most: most)
  }

  private mutating func group() throws(ScalarPattern.Refusal) -> PatternNode {
    guard depth < Self.deepest else { throw refusal("at most \(Self.deepest) levels of groups") }
    var look: Bool?
    let outer = ignoresCase
    if take("?") {
      if take("!") {
        look = true
      } else if take("=") {
        look = false
      } else if take("i") {
        guard take(":") else { throw refusal("(?i: with a colon") }
        ignoresCase = true
      } else if !take(":") {
        throw refusal("one of (?: (?i: (?! (?=")
      }
    }
    depth += 1
    let inside = try alternatives()
    depth -= 1
    ignoresCase = outer
    guard take(")") else { throw refusal("a closing parenthesis") }
    if let look {
      if let next = peek, "?*+{".unicodeScalars.contains(next) {
        throw refusal("no count after a lookahead")
      }
      return .look(inside, isNegated: look)
    }
    let (least, most) = try count()
    guard most == 1 else { throw refusal("a group once or with ?, no other count") }
    return .group(inside, isOptional: least == 0)
  }

  /// The count after an item; one where there is none.
  private mutating func count() throws(ScalarPattern.Refusal) -> (least: Int, most: Int) {
    var result = (least: 1, most: 1)
    if take("?") {
      result = (0, 1)
    } else if take("*") {
      result = (0, .max)
    } else if take("+") {
      result = (1, .max)
    } else if take("{") {
      let least = try number()
      var most = least
      if take(",") { most = peek == "}" ? .max : try number() }
      guard take("}"), most >= least, most > 0 else { throw refusal("a count such as {1,3}") }
      result = (least, most)
    } else {
      return result
    }
    // A second sign would make the count reluctant or possessive.
    if let next = peek, "?*+{".unicodeScalars.contains(next) { throw refusal("one greedy count") }
    return result
  }

  private mutating func number() throws(ScalarPattern.Refusal) -> Int {
    var result = 0
    let first = place
    while let scalar = peek, ("0"..."9").contains(scalar), result <= Self.mostCount {
      result = result * 10 + Int(scalar.value - 48)
      place += 1
    }
    guard place > first, result <= Self.mostCount else {
      throw refusal("a number up to \(Self.mostCount)")
    }
    return result
  }

  /// A class in brackets, after the opening one.
  private mutating func brackets() throws(ScalarPattern.Refusal) -> ScalarSet {
    if ignoresCase { throw refusal("letters alone where case is ignored") }
    var result = ScalarSet()
    result.isNegated = take("^")
    var isEmpty = true
    while let scalar = peek, scalar != "]" {
      isEmpty = false
      place += 1
      var single: UInt32? = scalar.value
      if scalar == "\\" {
        let escaped = try escape()
        result.classes |= escaped.classes
        result.ranges += escaped.ranges
        single = escaped.classes == 0 ? escaped.ranges.first?.lowerBound : nil
        if single != nil { result.ranges.removeLast() }
      } else if scalar == "[" || scalar == "&" && peek == "&" {
        place -= 1
        throw refusal("no class within a class")
      }
      guard let low = single else { continue }
      guard peek == "-", place + 1 < text.count, text[place + 1] != "]" else {
        result.ranges.append(low...low)
        continue
      }
      place += 1
      let high = try rangeEnd()
      guard high >= low else { throw refusal("a range from low to high") }
      result.ranges.append(low...high)
    }
    guard take("]"), !isEmpty else { throw refusal("a class such as [^\\s\\p{L}]") }
    return result
  }

  private mutating func rangeEnd() throws(ScalarPattern.Refusal) -> UInt32 {
    if take("\\") {
      let escaped = try escape()
      guard escaped.classes == 0, let range = escaped.ranges.first else {
        throw refusal("a character at the end of the range")
      }
      return range.lowerBound
    }
    guard let scalar = peek, scalar != "[" else { throw refusal("a character") }
    place += 1
    return scalar.value
  }

  /// What an escape means, after its backslash.
  private mutating func escape() throws(ScalarPattern.Refusal) -> ScalarSet {
    guard let scalar = peek else { throw refusal("an escape") }
    place += 1
    switch scalar {
    case "s": return ScalarSet(classes: ScalarClass.whiteSpace)
    case "S": return ScalarSet(classes: ScalarClass.notWhiteSpace)
    case "d": return ScalarSet(classes: ScalarClass.mask(category: "Nd") ?? 0)
    case "p", "P": return try property(isNegated: scalar == "P")
    case "r": return ScalarSet(ranges: [0x0d...0x0d])
    case "n": return ScalarSet(ranges: [0x0a...0x0a])
    case "t": return ScalarSet(ranges: [0x09...0x09])
    case _
    where scalar.isASCII && !("a"..."z").contains(scalar) && !("A"..."Z").contains(scalar)
      && !("0"..."9").contains(scalar):
      return ScalarSet(ranges: [scalar.value...scalar.value])
    default:
      place -= 1
      throw refusal("one of \\s \\S \\d \\p{…} \\P{…} \\r \\n \\t or an escaped sign")
    }
  }

  private mutating func property(isNegated: Bool) throws(ScalarPattern.Refusal) -> ScalarSet {
    let known = "a general category such as {L}, {Lu} or {N}"
    guard take("{") else { throw refusal(known) }
    var name = ""
    while let scalar = peek, scalar != "}", name.utf8.count < 32 {
      name.unicodeScalars.append(scalar)
      place += 1
    }
    guard take("}"), let mask = ScalarClass.mask(category: name) else { throw refusal(known) }
    if ignoresCase { throw refusal("letters alone where case is ignored") }
    return ScalarSet(classes: isNegated ? ScalarClass.anyCategory & ~mask : mask)
  }

  /// One character; where case is ignored also what folds to it.
  private func literal(_ scalar: Unicode.Scalar) throws(ScalarPattern.Refusal) -> ScalarSet {
    var result = ScalarSet(ranges: [scalar.value...scalar.value])
    guard ignoresCase else { return result }
    guard scalar.isASCII else { throw refusal("ASCII alone where case is ignored") }
    if ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) {
      let other = scalar.value ^ 0x20
      result.ranges.append(other...other)
    }
    switch scalar {
    case "s", "S": result.ranges.append(0x17f...0x17f)  // long s
    case "k", "K": result.ranges.append(0x212a...0x212a)  // the Kelvin sign
    default: break
    }
    // Pairs that one ligature folds to.
    if place < text.count, place >= 1 {
      let pair = (
        text[place - 1].properties.lowercaseMapping, text[place].properties.lowercaseMapping
      )
      if [("s", "s"), ("f", "f"), ("f", "i"), ("f", "l"), ("s", "t")].contains(where: { $0 == pair }
      ) {
        throw refusal("no pair of letters that a ligature folds to")
      }
    }
    return result
  }

  private var peek: Unicode.Scalar? { place < text.count ? text[place] : nil }

  private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard peek == scalar else { return false }
    place += 1
    return true
  }

  private func refusal(_ expected: String) -> ScalarPattern.Refusal {
    refusal(
      peek.map { CheckpointError.quoted(String(Character($0))) } ?? "the end of the pattern",
      expected)
  }

  private func refusal(_ found: String, _ expected: String) -> ScalarPattern.Refusal {
    ScalarPattern.Refusal(place: place, found: found, expected: expected)
  }
}
