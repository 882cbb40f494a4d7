/// A regular expression of the kind that pre-tokenizers use: alternatives of sequences of scalar sets
/// with greedy counts, groups and lookahead. It means what it means in Oniguruma, which the
/// `tokenizers` library runs: the leftmost match, the first alternative, the longest count first.
struct ScalarPattern: Sendable {
  /// A step of the matching program; `next` is the place of the step after it.
  enum Step: Sendable, Hashable {
    case accept
    /// From `least` to `most` scalars of the set at a place.
    case set(Int, least: Int, most: Int, next: Int)
    /// The first of the alternatives that leads to a match.
    case branch([Int])
    /// What follows must match, or must not; it is not taken.
    case look(Int, isNegated: Bool, next: Int)
  }

  /// Why a pattern is refused: the place in it, what was found and what is known.
  struct Refusal: Error {
    let place: Int
    let found: String
    let expected: String
  }

  private let steps: [Step]
  private let sets: [ScalarSet]
  private let start: Int

  /// Reads a pattern.
  init(_ text: String) throws(Refusal) {
    var parser = ScalarPatternParser(text)
    let tree = try parser.pattern()
    var compiler = ScalarPatternCompiler()
    start = compiler.compile(alternatives: tree, next: compiler.accept())
    steps = compiler.steps
    sets = compiler.sets
  }

  /// A pattern that matches `text` and nothing else.
  init(literal text: String) throws(Refusal) {
    guard !text.isEmpty else {
      throw Refusal(place: 0, found: "an empty text", expected: "at least one character")
    }
    var compiler = ScalarPatternCompiler()
    let sequence = text.unicodeScalars.map {
      PatternNode.set(ScalarSet(ranges: [$0.value...$0.value]), least: 1, most: 1)
    }
    start = compiler.compile(alternatives: [sequence], next: compiler.accept())
    steps = compiler.steps
    sets = compiler.sets
  }

  /// The matches in the scalars of `range`, from left to right, each starting at or after the end of
  /// the one before.
  ///
  /// - Parameter masks: the bits of each scalar of the text.
  func matches(in text: TextScalars, masks: [UInt32], range: Range<Int>) -> [Range<Int>] {
    var found: [Range<Int>] = []
    text.scalars.withUnsafeBufferPointer { scalars in
      masks.withUnsafeBufferPointer { masks in
        var run = Run(
          steps: steps, sets: sets, scalars: scalars, masks: masks, range: range)
        var place = range.lowerBound
        while place < range.upperBound {
          if let end = run.match(start, place) {
            found.append(place..<end)
            place = end
          } else {
            place += 1
          }
        }
      }
    }
    return found
  }

  /// One text that the program runs over.
  private struct Run {
    let steps: [Step]
    let sets: [ScalarSet]
    let scalars: UnsafeBufferPointer<UInt32>
    let masks: UnsafeBufferPointer<UInt32>
    let end: Int
    /// Calls left before failures are remembered. A pattern in use never needs so many; one that
    /// backtracks over and over would take time in a power of the text's length.
    private var patience: Int
    /// Steps and places from which nothing matches.
    private var failures: Set<Int> = []

    init(
      steps: [Step], sets: [ScalarSet], scalars: UnsafeBufferPointer<UInt32>,
      masks: UnsafeBufferPointer<UInt32>, range: Range<Int>
    ) {
      self.steps = steps
      self.sets = sets
      self.scalars = scalars
      self.masks = masks
      end = range.upperBound
      patience = 1_000 + 64 * range.count
    }

    /// The end of the match that begins with the step at `step`. Steps lead forwards only, so that
    /// the depth of calls is bounded by the pattern's length.
    mutating func match(_ step: Int, _ place: Int) -> Int? {
      if patience > 0 {
        patience -= 1
        return attempt(step, place)
      }
      let key = place * steps.count + step
      if failures.contains(key) { return nil }
      if let result = attempt(step, place) { return result }
      failures.insert(key)
      return nil
    }

    private mutating func attempt(_ step: Int, _ place: Int) -> Int? {
      switch steps[step] {
      case .accept: return place
      case .set(let index, let least, let most, let next):
        let set = sets[index]
        let limit = most < end - place ? place + most : end
        var reached = place
        while reached < limit, set.contains(scalars[reached], mask: masks[reached]) {
          reached += 1
        }
        while reached - place >= least {
          if let result = match(next, reached) { return result }
          reached -= 1
        }
        return nil
      case .branch(let starts):
        for start in starts {
          if let result = match(start, place) { return result }
        }
        return nil
      case .look(let start, let isNegated, let next):
        return (match(start, place) != nil) == isNegated ? nil : match(next, place)
      }
    }
  }
}

/// A part of a pattern.
indirect enum PatternNode {
  case set(ScalarSet, least: Int, most: Int)
  /// One of the alternatives, or none where optional.
  case group([[PatternNode]], isOptional: Bool)
  case look([[PatternNode]], isNegated: Bool)

  /// The fewest scalars that it takes.
  var leastLength: Int {
    switch self {
    case .set(_, let least, _): least
    case .group(let alternatives, let isOptional): isOptional ? 0 : Self.leastLength(alternatives)
    case .look: 0
    }
  }

  static func leastLength(_ alternatives: [[PatternNode]]) -> Int {
    alternatives.map { $0.reduce(0) { $0 + $1.leastLength } }.min() ?? 0
  }
}

/// Turns a pattern's parts into steps, the last first.
struct ScalarPatternCompiler {
  private(set) var steps: [ScalarPattern.Step] = []
  private(set) var sets: [ScalarSet] = []

  mutating func accept() -> Int { add(.accept) }

  mutating func compile(alternatives: [[PatternNode]], next: Int) -> Int {
    let starts = alternatives.map { compile(sequence: $0, next: next) }
    return starts.count == 1 ? starts[0] : add(.branch(starts))
  }

  private mutating func compile(sequence: [PatternNode], next: Int) -> Int {
    var next = next
    for node in sequence.reversed() {
      switch node {
      case .set(let set, let least, let most):
        sets.append(set)
        next = add(.set(sets.count - 1, least: least, most: most, next: next))
      case .group(let alternatives, let isOptional):
        let inside = compile(alternatives: alternatives, next: next)
        next = isOptional ? add(.branch([inside, next])) : inside
      case .look(let alternatives, let isNegated):
        let inside = compile(alternatives: alternatives, next: accept())
        next = add(.look(inside, isNegated: isNegated, next: next))
      }
    }
    return next
  }

  private mutating func add(_ step: ScalarPattern.Step) -> Int {
    steps.append(step)
    return steps.count - 1
  }
}
