import Foundation

/// Places of values along an axis, and the ticks.
struct AxisMap: Sendable {
  private let axis: Chart.Axis
  private let start: Double
  private let end: Double
  private let low: Double
  private let high: Double
  /// Values to mark.
  let ticks: [Double]

  /// Maps the range of `values` onto `start ... end` (pixels), with a margin at both ends.
  init(_ axis: Chart.Axis, values: [Double], from start: Double, to end: Double, room: Double) {
    self.axis = axis
    self.start = start
    self.end = end
    let places = values.map { Self.place($0, axis.scale) }
    var low = places.min() ?? 0
    var high = places.max() ?? 1
    if high - low < 1e-9 {
      // One value only: half a step around it.
      let half = axis.scale == .linear ? max(abs(low) * 0.1, 0.5) : 0.5
      low -= half
      high += half
    }
    let margin = (high - low) * room
    self.low = low - margin
    self.high = high + margin
    self.ticks = Self.ticks(axis.scale, values: values, low: self.low, high: self.high)
  }

  /// The pixel of a value.
  func pixel(_ value: Double) -> Double {
    start + (Self.place(value, axis.scale) - low) / (high - low) * (end - start)
  }

  /// The name of a tick.
  func text(_ value: Double) -> String {
    switch axis.ticks {
    case .tokens: return NumberText.tokens(Int(value.rounded()))
    case .bytes:
      return NumberText.bytes(value).replacing(".00 ", with: " ").replacing(".0 ", with: " ")
    case .number:
      let text = NumberText.significant(value, digits: 4)
      guard text.contains(".") else { return text }
      var short = Substring(text)
      while short.hasSuffix("0") { short.removeLast() }
      if short.hasSuffix(".") { short.removeLast() }
      return String(short)
    }
  }

  private static func place(_ value: Double, _ scale: Chart.Scale) -> Double {
    switch scale {
    case .linear: value
    case .log2: Foundation.log2(value)
    case .log10: Foundation.log10(value)
    }
  }

  private static func ticks(
    _ scale: Chart.Scale, values: [Double], low: Double, high: Double
  ) -> [Double] {
    switch scale {
    case .linear: linearTicks(low, high)
    case .log2: powersOfTwo(low, high)
    case .log10: decades(low, high)
    }
  }

  private static func linearTicks(_ low: Double, _ high: Double) -> [Double] {
    let raw = (high - low) / 6
    let power = pow(10, Foundation.log10(raw).rounded(.down))
    let step = ([1, 2, 5, 10].first { $0 * power >= raw } ?? 10) * power
    let first = Int((low / step).rounded(.up))
    let last = Int((high / step).rounded(.down))
    return first <= last ? (first...last).map { Double($0) * step } : []
  }

  private static func powersOfTwo(_ low: Double, _ high: Double) -> [Double] {
    let first = Int(low.rounded(.up))
    let last = Int(high.rounded(.down))
    guard first <= last else { return [] }
    let step = max(1, (last - first + 7) / 8)
    return stride(from: first, through: last, by: step).map { pow(2, Double($0)) }
  }

  private static func decades(_ low: Double, _ high: Double) -> [Double] {
    let factors: [Double] = high - low > 3.5 ? [1] : (high - low > 1.2 ? [1, 3] : [1, 2, 3, 5, 7])
    var ticks: [Double] = []
    for exponent in Int(low.rounded(.down))...Int(high.rounded(.up)) {
      for factor in factors {
        let value = factor * pow(10, Double(exponent))
        let place = Foundation.log10(value)
        if place >= low, place <= high { ticks.append(value) }
      }
    }
    return ticks
  }
}
