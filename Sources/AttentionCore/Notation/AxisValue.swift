/// One value of an axis of the notation. Adding one is a type like those in `Axes/` and a line in
/// the registry.
public protocol AxisValue: Sendable {
  /// The word that starts the value: `gqa`.
  static var keyword: String { get }
  /// The form with its parameters named: `gqa:K`.
  static var form: String { get }
  /// One line for lists.
  static var summary: String { get }
  /// Notations small enough for tests, valid on 4 query heads of width 16 and 6 layers.
  static var samples: [String] { get }
  /// Reads the parameters, the text after `keyword:` (nil without a colon).
  /// - Throws: `NotationError` naming what was expected.
  init(parameters: String?) throws(NotationError)
  /// The shortest notation that reads back the same.
  var notation: String { get }
}

/// What a cached row holds and how many query heads read it.
public protocol HeadAxisValue: AxisValue {
  /// The heads on a geometry.
  /// - Throws: `NotationError` where the geometry does not take them.
  func arrangement(for geometry: ModelGeometry) throws(NotationError) -> HeadArrangement
}

/// Which layer owns the rows that a layer reads.
public protocol SharingAxisValue: AxisValue {
  /// Owner of each layer, as an index into the same list. Layers are those of one reach and row
  /// shape, in order; the owner must not come after the layer.
  func owner(of index: Int, count: Int) -> Int
  /// Why the value saves nothing on `count` such layers, or nil.
  func noop(count: Int) -> String?
}

/// How far back each layer looks.
public protocol ReachAxisValue: AxisValue {
  /// Width of the window of layer `index` of `count`; nil: global.
  func window(ofLayer index: Int, count: Int) -> Int?
  /// A value that keeps the same pattern with leading tokens beside the windows is allowed.
  var takesSinks: Bool { get }
}

/// The parsing that axis values share.
public enum AxisParameters {
  /// The largest number that the notation takes anywhere.
  public static let largest = 999_999_999

  /// The largest width of a row's part, elements.
  public static let widest = 65_536

  /// A positive decimal number without sign, leading zero or separator, at most `limit`.
  public static func positive(
    _ text: some StringProtocol, _ name: String, form: String, limit: Int = largest
  ) throws(NotationError) -> Int {
    guard !text.isEmpty, text.utf8.count <= 9, text.utf8.allSatisfy({ (48...57).contains($0) }),
      let value = Int(text), value > 0, value <= limit, String(value) == text
    else {
      throw NotationError(
        notation: String(text), reason: "\(form) needs \(name), a number from 1 to \(limit)")
    }
    return value
  }

  /// Refuses parameters where a value has none.
  public static func none(_ parameters: String?, form: String) throws(NotationError) {
    if let parameters {
      throw NotationError(
        notation: "\(form):\(parameters)", reason: "\(form) takes no parameter")
    }
  }
}
