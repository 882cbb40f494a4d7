/// Why a model was not converted.
public struct ConversionError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The target's notation.
  public let target: String
  /// The layer concerned; nil for the whole model.
  public let layer: Int?
  /// What is wrong and what was expected.
  public let reason: String

  public init(target: String, layer: Int? = nil, reason: String) {
    self.target = target
    self.layer = layer
    self.reason = reason
  }

  public var description: String {
    "\(target): " + (layer.map { "layer \($0): " } ?? "") + reason
  }
}
