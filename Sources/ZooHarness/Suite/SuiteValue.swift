import Yams

/// A value of a suite file with the place it was read from.
struct SuiteValue {
  let node: Node
  let file: String
  let name: String

  /// An error at this place.
  func refused(_ expected: String) -> HarnessError {
    HarnessError(.badData, "\(file):\(node.mark?.line ?? 1): \(name): \(expected)")
  }

  func text() throws(HarnessError) -> String {
    guard case .scalar(let scalar) = node, !scalar.string.isEmpty else {
      throw refused("expected one word or number")
    }
    return scalar.string
  }

  func whole(_ range: ClosedRange<Int>) throws(HarnessError) -> Int {
    guard let number = Int(try text()), range.contains(number) else {
      throw refused("expected a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func number() throws(HarnessError) -> Double {
    guard let number = Double(try text()), number.isFinite, number > 0 else {
      throw refused("expected a positive number")
    }
    return number
  }

  func tokens() throws(HarnessError) -> Int {
    guard let tokens = Quantity.tokens(try text()) else {
      throw refused("expected a number of tokens such as 512, 8k (8,192) or 1m")
    }
    return tokens
  }

  func list() throws(HarnessError) -> [SuiteValue] {
    guard case .sequence(let sequence) = node, !sequence.isEmpty else {
      throw refused("expected a list such as [a, b]")
    }
    return sequence.map { SuiteValue(node: $0, file: file, name: name) }
  }

  func mapping(_ known: [String]) throws(HarnessError) -> SuiteMapping {
    guard case .mapping = node else { throw refused("expected keys among \(joined(known))") }
    return try SuiteMapping(node, file: file, name: name, known: known)
  }

  private func joined(_ known: [String]) -> String { known.joined(separator: ", ") }
}

/// A mapping of a suite file, all of whose keys are known.
struct SuiteMapping {
  private let node: Node
  private let file: String
  private let name: String
  private let values: [String: SuiteValue]

  init(_ node: Node, file: String, name: String = "", known: [String]) throws(HarnessError) {
    self.node = node
    self.file = file
    self.name = name
    var values: [String: SuiteValue] = [:]
    for (key, value) in node.mapping ?? [:] {
      let word = key.string ?? "?"
      guard known.contains(word) else {
        let place = name.isEmpty ? "" : " of \(name)"
        throw HarnessError(
          .badData,
          "\(file):\(key.mark?.line ?? 1): unknown key \"\(word.prefix(40))\"\(place); "
            + "expected one of \(known.joined(separator: ", "))")
      }
      let path = name.isEmpty ? word : "\(name).\(word)"
      values[word] = SuiteValue(node: value, file: file, name: path)
    }
    self.values = values
  }

  subscript(key: String) -> SuiteValue? { values[key] }

  func require(_ key: String) throws(HarnessError) -> SuiteValue {
    guard let value = values[key] else {
      let place = name.isEmpty ? "" : "\(name): "
      throw HarnessError(
        .badData, "\(file):\(node.mark?.line ?? 1): \(place)expected the key \(key)")
    }
    return value
  }
}
