/// Sizes as people write them.
public enum Quantity {
  /// Tokens: `1024`, `8k` (8,192), `1m` (1,048,576); nil for anything else or less than 1.
  public static func tokens(_ text: String) -> Int? {
    var digits = Substring(text)
    var shift = 0
    if let last = digits.last, "kKmM".contains(last) {
      shift = "kK".contains(last) ? 10 : 20
      digits.removeLast()
    }
    guard digits.utf8.count <= 12, digits.utf8.allSatisfy({ (48...57).contains($0) }),
      let number = Int(digits), number > 0, number <= (1 << 40) >> shift
    else { return nil }
    return number << shift
  }

  /// Bytes: `4GiB`, `1.5GiB`, `512MiB`, `6GB`, `4096`; nil for anything else or less than 1.
  public static func bytes(_ text: String) -> Int? {
    let units: [(String, Double)] = [
      ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("kB", 1e3),
      ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ]
    let unit = units.first { text.hasSuffix($0.0) } ?? ("", 1)
    let digits = text.dropLast(unit.0.count).trimmingBlanks
    guard let first = digits.first, first.isNumber, digits.allSatisfy({ $0.isNumber || $0 == "." }),
      let number = Double(digits)
    else { return nil }
    let bytes = number * unit.1
    guard bytes >= 1, bytes <= 0x1p56, bytes == bytes.rounded() else { return nil }
    return Int(bytes)
  }

  /// `4.0 GiB`, for messages.
  public static func text(bytes: Int) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var value = Double(bytes)
    var unit = 0
    while value >= 1024, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    if unit == 0 { return "\(bytes) B" }
    return "\((value * 10).rounded() / 10) \(units[unit])"
  }
}

/// The bytes that weights, cache and workspace may take together.
public enum ByteBudget: Sendable, Hashable, CustomStringConvertible {
  /// So many bytes.
  case absolute(Int)
  /// The variant's weights and so many bytes more.
  case weightsPlus(Int)

  /// Reads `6GiB` or `weights+4GiB`; nil for anything else.
  public init?(_ text: String) {
    let parts = text.split(separator: "+", omittingEmptySubsequences: false).map(\.trimmingBlanks)
    if parts.count == 2, parts[0] == "weights", let bytes = Quantity.bytes(String(parts[1])) {
      self = .weightsPlus(bytes)
    } else if parts.count == 1, let bytes = Quantity.bytes(String(parts[0])) {
      self = .absolute(bytes)
    } else {
      return nil
    }
  }

  /// Whether the bytes differ from variant to variant.
  public var dependsOnWeights: Bool {
    if case .weightsPlus = self { true } else { false }
  }

  /// The budget for weights of `weights` bytes.
  public func bytes(weights: Int) -> Int {
    switch self {
    case .absolute(let bytes): bytes
    case .weightsPlus(let bytes): weights + bytes
    }
  }

  /// The notation, which reads back the same.
  public var description: String {
    func exact(_ bytes: Int) -> String {
      for (unit, shift) in [("GiB", 30), ("MiB", 20), ("KiB", 10)]
      where bytes.isMultiple(of: 1 << shift) {
        return "\(bytes >> shift)\(unit)"
      }
      return "\(bytes)"
    }
    return switch self {
    case .absolute(let bytes): exact(bytes)
    case .weightsPlus(let bytes): "weights+\(exact(bytes))"
    }
  }
}

extension Substring {
  fileprivate var trimmingBlanks: Substring {
    var text = self
    while text.first == " " { text.removeFirst() }
    while text.last == " " { text.removeLast() }
    return text
  }
}
