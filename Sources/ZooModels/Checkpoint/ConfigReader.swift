import AttentionCore

/// Reads the keys of one `config.json` object, with errors that name the file and the key.
struct ConfigReader {
  /// Limits that keep every product of a few sizes far inside 64 bits; published models stay well
  /// below.
  enum Limit {
    static let layers = ModelGeometry.mostLayers
    static let heads = ModelGeometry.mostHeads
    static let headWidth = AxisParameters.widest
    static let width = 1 << 20
    static let vocabulary = 1 << 24
    static let positions = 1 << 31
  }

  let file: String
  let members: [String: JSONValue]
  /// The path of keys that leads to this object, with a dot at its end; empty for the whole file.
  var prefix = ""

  /// The value of `key`; nil where it is absent or null.
  func value(_ key: String) -> JSONValue? {
    guard let value = members[key], value != .null else { return nil }
    return value
  }

  /// The integer from 1 to `limit` at `key`, or nil where the key is absent or null.
  func optionalSize(_ key: String, limit: Int) throws(CheckpointError) -> Int? {
    guard let value = value(key) else { return nil }
    guard case .integer(let size) = value, (1...limit).contains(size) else {
      throw malformed(key, found: value.summary, expected: "an integer from 1 to \(limit)")
    }
    return size
  }

  /// The integer from 1 to `limit` at `key`, which must be there.
  func size(_ key: String, limit: Int) throws(CheckpointError) -> Int {
    guard let size = try optionalSize(key, limit: limit) else {
      throw malformed(
        key, found: members[key] == nil ? "nothing" : "null",
        expected: "an integer from 1 to \(limit)")
    }
    return size
  }

  /// The positive number at `key`, or nil where the key is absent or null.
  func optionalPositive(_ key: String) throws(CheckpointError) -> Double? {
    switch value(key) {
    case nil: return nil
    case .integer(let number)? where number > 0: return Double(number)
    case .real(let number)? where number > 0: return number
    case let other?:
      throw malformed(key, found: other.summary, expected: "a number above 0")
    }
  }

  /// The positive number at `key`, which must be there.
  func positive(_ key: String) throws(CheckpointError) -> Double {
    guard let number = try optionalPositive(key) else {
      throw malformed(
        key, found: members[key] == nil ? "nothing" : "null", expected: "a number above 0")
    }
    return number
  }

  /// The number at `key`, or nil where the key is absent or null.
  func optionalNumber(_ key: String) throws(CheckpointError) -> Double? {
    switch value(key) {
    case nil: return nil
    case .integer(let number)?: return Double(number)
    case .real(let number)?: return number
    case let other?: throw malformed(key, found: other.summary, expected: "a number")
    }
  }

  /// The integer from 0 to `limit` at `key`, or nil where the key is absent or null.
  func optionalCount(_ key: String, limit: Int) throws(CheckpointError) -> Int? {
    guard let value = value(key) else { return nil }
    guard case .integer(let count) = value, (0...limit).contains(count) else {
      throw malformed(key, found: value.summary, expected: "an integer from 0 to \(limit)")
    }
    return count
  }

  /// The truth value at `key`, or `fallback` where the key is absent or null.
  func flag(_ key: String, default fallback: Bool) throws(CheckpointError) -> Bool {
    switch value(key) {
    case nil: return fallback
    case .bool(let flag)?: return flag
    case let other?: throw malformed(key, found: other.summary, expected: "true or false")
    }
  }

  /// The string at `key`, or nil where the key is absent or null.
  func optionalString(_ key: String) throws(CheckpointError) -> String? {
    switch value(key) {
    case nil: return nil
    case .string(let text)?: return text
    case let other?: throw malformed(key, found: other.summary, expected: "a string")
    }
  }

  /// The token ids at `key`: one integer or a list of them.
  func tokenIDs(_ key: String) throws(CheckpointError) -> [Int] {
    guard let value = value(key) else { return [] }
    let values: [JSONValue] = if case .array(let list) = value { list } else { [value] }
    var result: [Int] = []
    for item in values {
      // Some published files say -1 for "none".
      guard case .integer(let id) = item, id >= -1 else {
        throw malformed(key, found: item.summary, expected: "token ids")
      }
      if id >= 0 { result.append(id) }
    }
    return result
  }

  /// The object at `key`, or nil where the key is absent or null.
  func optionalObject(_ key: String) throws(CheckpointError) -> ConfigReader? {
    switch value(key) {
    case nil: return nil
    case .object(let members)?:
      return ConfigReader(file: file, members: members, prefix: prefix + key + ".")
    case let other?: throw malformed(key, found: other.summary, expected: "an object")
    }
  }

  /// An error at `key`.
  func malformed(
    _ key: String, found: String, expected: String, kind: CheckpointError.Kind = .malformed
  ) -> CheckpointError {
    CheckpointError(
      kind: kind, file: file, place: "key \(CheckpointError.quoted(prefix + key))", found: found,
      expected: expected)
  }
}
