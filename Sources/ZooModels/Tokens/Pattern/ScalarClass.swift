/// What patterns ask about a scalar, as bits: its general category, and whether it is white space.
enum ScalarClass {
  /// The bit of white space (the property White_Space).
  static let whiteSpace: UInt32 = 1 << 30
  /// The bit of everything else.
  static let notWhiteSpace: UInt32 = 1 << 31
  /// The bits of all general categories.
  static let anyCategory: UInt32 = 1 << 30 - 1

  /// The general categories, by their two-letter names, in the order of their bits.
  private static let names: [String] = [
    "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Pc", "Pd", "Ps", "Pe", "Pi",
    "Pf", "Po", "Sm", "Sc", "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn",
  ]

  /// The bits of a category by its two-letter name, or of a group by its letter; nil for another.
  static func mask(category name: String) -> UInt32? {
    var mask: UInt32 = 0
    for (index, known) in names.enumerated()
    where known == name || (name.utf8.count == 1 && known.hasPrefix(name)) {
      mask |= 1 << UInt32(index)
    }
    return mask == 0 ? nil : mask
  }

  /// The bits of a scalar; of an ill-formed byte those of an unassigned one.
  static func mask(of value: UInt32) -> UInt32 {
    if value < 0x80 { return ascii[Int(value)] }
    return computed(value)
  }

  private static let ascii: [UInt32] = (0..<0x80).map(computed)

  private static func computed(_ value: UInt32) -> UInt32 {
    guard let scalar = Unicode.Scalar(value) else { return 1 << 29 | notWhiteSpace }
    let properties = scalar.properties
    return 1 << UInt32(place(of: properties.generalCategory))
      | (properties.isWhitespace ? whiteSpace : notWhiteSpace)
  }

  private static func place(of category: Unicode.GeneralCategory) -> Int {
    switch category {
    case .uppercaseLetter: 0
    case .lowercaseLetter: 1
    case .titlecaseLetter: 2
    case .modifierLetter: 3
    case .otherLetter: 4
    case .nonspacingMark: 5
    case .spacingMark: 6
    case .enclosingMark: 7
    case .decimalNumber: 8
    case .letterNumber: 9
    case .otherNumber: 10
    case .connectorPunctuation: 11
    case .dashPunctuation: 12
    case .openPunctuation: 13
    case .closePunctuation: 14
    case .initialPunctuation: 15
    case .finalPunctuation: 16
    case .otherPunctuation: 17
    case .mathSymbol: 18
    case .currencySymbol: 19
    case .modifierSymbol: 20
    case .otherSymbol: 21
    case .spaceSeparator: 22
    case .lineSeparator: 23
    case .paragraphSeparator: 24
    case .control: 25
    case .format: 26
    case .surrogate: 27
    case .privateUse: 28
    case .unassigned: 29
    @unknown default: 29
    }
  }
}

/// A set of scalars: classes and ranges, or everything but these.
struct ScalarSet: Sendable, Hashable {
  /// Bits of `ScalarClass`; a scalar with one of them is in the set.
  var classes: UInt32 = 0
  /// Ranges that are in the set.
  var ranges: [ClosedRange<UInt32>] = []
  /// Whether the set is everything but these.
  var isNegated = false

  /// Whether the set holds `scalar`, whose bits are `mask`.
  func contains(_ scalar: UInt32, mask: UInt32) -> Bool {
    if classes & mask != 0 { return !isNegated }
    for range in ranges where range.contains(scalar) { return !isNegated }
    return isNegated
  }
}
