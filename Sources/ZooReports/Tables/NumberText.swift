import Foundation

/// Numbers as text for people: few digits, units named, the same in every locale.
public enum NumberText {
  /// What stands where nothing was measured.
  public static let missing = "–"

  /// A number with significant digits, without an exponent: `0.00123`, `1.23`, `12.3`, `12,345`.
  public static func significant(_ value: Double?, digits: Int = 3) -> String {
    guard let value, value.isFinite else { return missing }
    if value == 0 { return "0" }
    let exponent = Int(log10(abs(value)).rounded(.down))
    // Rounding may carry into one more digit before the point: 9.999 is 10.0, not 10.00.
    let scale = pow(10, Double(digits - 1 - exponent))
    let carried = (abs(value) * scale).rounded() >= pow(10, Double(digits))
    let decimals = max(0, digits - 1 - exponent - (carried ? 1 : 0))
    return grouped(String(format: "%.\(decimals)f", value))
  }

  /// A fixed number of decimals: `0.953`.
  public static func fixed(_ value: Double?, decimals: Int) -> String {
    guard let value, value.isFinite else { return missing }
    return grouped(String(format: "%.\(decimals)f", value))
  }

  /// A whole number with commas: `131,072`.
  public static func whole(_ value: Int?) -> String {
    guard let value else { return missing }
    return grouped(String(value))
  }

  /// A number without decimals where it has none, else with one: `131,072`, `4,608.5`.
  public static func plain(_ value: Double?) -> String {
    guard let value, value.isFinite else { return missing }
    return fixed(value, decimals: value == value.rounded() ? 0 : 1)
  }

  /// Bytes in binary units: `512 B`, `4.00 KiB`, `2.25 GiB`.
  public static func bytes(_ value: Double?) -> String {
    guard let value, value.isFinite else { return missing }
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    var scaled = value
    var unit = 0
    // 1023.5 KiB would print as 1,024 KiB.
    while abs(scaled) >= 1023.5, unit < units.count - 1 {
      scaled /= 1024
      unit += 1
    }
    return (unit == 0 ? plain(scaled) : significant(scaled)) + " " + units[unit]
  }

  /// Bytes in binary units: `512 B`, `4.00 KiB`, `2.25 GiB`.
  public static func bytes(_ value: Int?) -> String { bytes(value.map(Double.init)) }

  /// Tokens as people name contexts: `1k` for 1,024, `8k`, `1M`, else the number.
  public static func tokens(_ value: Int) -> String {
    if value >= 1 << 20, value % (1 << 20) == 0 { return "\(value >> 20)M" }
    if value >= 1024, value % 1024 == 0 { return "\(value >> 10)k" }
    return whole(value)
  }

  /// A ratio: `0.031×`.
  public static func ratio(_ value: Double?) -> String {
    value == nil ? missing : significant(value) + "×"
  }

  private static func grouped(_ digits: String) -> String {
    let parts = digits.split(separator: ".", omittingEmptySubsequences: false)
    let isNegative = parts[0].hasPrefix("-")
    let whole = isNegative ? parts[0].dropFirst() : parts[0]
    var result = ""
    for (place, digit) in whole.enumerated() {
      if place > 0, (whole.count - place) % 3 == 0 { result.append(",") }
      result.append(digit)
    }
    return (isNegative ? "-" : "") + result + (parts.count > 1 ? "." + parts[1] : "")
  }
}
