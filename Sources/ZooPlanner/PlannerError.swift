import AttentionCore

/// Why a plan could not be made.
public enum PlannerError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The variant has no meaning on the geometry.
  case notation(NotationError)
  /// A size is out of range: what it is, what was given and what was expected.
  case invalid(name: String, value: String, expected: String)
  /// A result does not fit into 64 bits.
  case overflow(String)
  /// The budget does not even hold the weights, bytes.
  case budgetBelowWeights(budget: Int, weights: Int)
  /// No such device; the names that there are.
  case unknownDevice(String, known: [String])
  /// The device's peak arithmetic rate was not published.
  case missingPeak(device: String)

  /// One line that names the thing and what was expected.
  public var description: String {
    switch self {
    case .notation(let error):
      error.description
    case .invalid(let name, let value, let expected):
      "\(name) is \(value), expected \(expected)"
    case .overflow(let what):
      "\(what) does not fit into 64 bits; expected smaller sizes"
    case .budgetBelowWeights(let budget, let weights):
      "budget smaller than the weights: \(budget) bytes, the weights take \(weights)"
    case .unknownDevice(let name, let known):
      "no device \"\(name.prefix(60))\"; expected one of \(known.joined(separator: ", "))"
    case .missingPeak(let device):
      "no peak arithmetic rate is published for \(device); expected a measured device"
    }
  }
}
