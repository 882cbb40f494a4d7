import ZooRecords

/// A variant's notation without and with its codec.
enum VariantName {
  /// The notation without the codec: `gqa:8/cla:2` of `gqa:8/cla:2@f16`. Lists stay whole.
  static func base(_ notation: String) -> String {
    guard !notation.hasPrefix("["), let mark = notation.firstIndex(of: "@") else {
      return notation
    }
    return String(notation[..<mark])
  }

  /// Of the notations with a given base, the one to compare with: no codec named, else the
  /// first of f16, bf16, f32, else the first by name.
  static func reference(base: String, among notations: some Sequence<String>) -> String? {
    let wanted = Set(notations.filter { Self.base($0) == base })
    for codec in ["", "@f16", "@bf16", "@f32"] where wanted.contains(base + codec) {
      return base + codec
    }
    return wanted.min()
  }
}

/// The order of a geometry's variants in tables and charts: `mha` first, then by ideal cache bytes a token
/// from many to few, then by name. It does not depend on the order of the rows.
struct VariantOrder: Sendable {
  /// All variants, in order.
  let names: [String]
  private let places: [String: Int]

  init(_ rows: [ResultRow]) {
    var bytes: [String: Double] = [:]
    for row in rows {
      let known = bytes[row.variant] ?? -1
      bytes[row.variant] = max(known, row.kv?.idealBytesPerToken ?? -1)
    }
    names = bytes.keys.sorted { left, right in
      let leftIsPlain = VariantName.base(left) == "mha"
      let rightIsPlain = VariantName.base(right) == "mha"
      if leftIsPlain != rightIsPlain { return leftIsPlain }
      let leftBytes = bytes[left] ?? -1
      let rightBytes = bytes[right] ?? -1
      return leftBytes == rightBytes ? left < right : leftBytes > rightBytes
    }
    places = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
  }

  /// The place of a variant, from 0.
  func place(_ variant: String) -> Int { places[variant] ?? names.count }
}
