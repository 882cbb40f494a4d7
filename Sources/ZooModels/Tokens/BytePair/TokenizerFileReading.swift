extension ConfigReader {
  /// The largest token id accepted.
  static let largestID = Limit.vocabulary - 1

  /// Refuses keys that are not among `known`.
  func allow(_ known: [String]) throws(CheckpointError) {
    guard let other = members.keys.filter({ !known.contains($0) }).min() else { return }
    throw malformed(
      other, found: "an unknown key", expected: "only \(known.joined(separator: ", "))",
      kind: .unsupported)
  }

  /// The type of this part, which must be one of `known`.
  @discardableResult
  func require(type known: [String], else expected: String) throws(CheckpointError) -> String {
    let type = try optionalString("type")
    guard let type, known.contains(type) else {
      throw malformed(
        "type", found: type.map(CheckpointError.quoted) ?? "nothing", expected: expected,
        kind: .unsupported)
    }
    return type
  }

  /// The parts at `key`: none for null, those of a `Sequence` (its list at `list`), or the one.
  func parts(_ key: String, list: String) throws(CheckpointError) -> [ConfigReader] {
    guard let part = try optionalObject(key) else { return [] }
    guard try part.optionalString("type") == "Sequence" else { return [part] }
    try part.allow(["type", list])
    var result: [ConfigReader] = []
    for inner in try part.objects(list) {
      if try inner.optionalString("type") == "Sequence" {
        throw inner.malformed(
          "type", found: "a Sequence in a Sequence", expected: "one level", kind: .unsupported)
      }
      result.append(inner)
    }
    return result
  }

  /// The objects of the list at `key`; none where it is absent or null.
  func objects(_ key: String) throws(CheckpointError) -> [ConfigReader] {
    guard let value = value(key) else { return [] }
    guard case .array(let values) = value else {
      throw malformed(key, found: value.summary, expected: "a list of objects")
    }
    var result: [ConfigReader] = []
    for (index, item) in values.enumerated() {
      guard case .object(let members) = item else {
        throw malformed("\(key)[\(index)]", found: item.summary, expected: "an object")
      }
      result.append(
        ConfigReader(file: file, members: members, prefix: "\(prefix)\(key)[\(index)]."))
    }
    return result
  }

  /// The token id at `key`, which must be there.
  func tokenID(_ key: String) throws(CheckpointError) -> Int32 {
    guard case .integer(let id)? = value(key), (0...Self.largestID).contains(id) else {
      throw malformed(
        key, found: value(key)?.summary ?? "nothing",
        expected: "a token id from 0 to \(Self.largestID)")
    }
    return Int32(id)
  }

  /// The pattern `text`, which stands at `key`.
  func pattern(
    _ text: String, key: String, isLiteral: Bool = false
  ) throws(CheckpointError) -> ScalarPattern {
    do {
      return isLiteral ? try ScalarPattern(literal: text) : try ScalarPattern(text)
    } catch {
      throw malformed(
        key, found: "\(error.found) at character \(error.place) of \(CheckpointError.quoted(text))",
        expected: error.expected, kind: .unsupported)
    }
  }
}
