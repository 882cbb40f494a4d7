import AttentionCore
import Foundation

/// What a cache keeps of rows, in float64 and by the definitions of the codecs alone: no code of the
/// cache or its kernels takes part.
struct CacheModel {
  typealias Vector = [Double]

  /// The formats of elements.
  private enum Format {
    case exact
    /// A float with so many bits of significand after the point, exponents from `least` on, and a
    /// largest value.
    case float(fraction: Int, least: Int, largest: Double)
    /// Integers with a scale, and a zero point where `levels` start at 0, along the row.
    case groups(levels: ClosedRange<Double>)
    /// The same per channel over tokens.
    case channels(levels: ClosedRange<Double>, tokens: Int)
  }

  private static let half = Format.float(fraction: 10, least: -14, largest: 65_504)
  private let parts: [(format: Format, width: Int)]

  /// Rows of two parts in their codecs, by notation.
  init(_ parts: (codec: String, width: Int)...) {
    self.parts = parts.map { (Self.format($0.codec), $0.width) }
  }

  private static func format(_ notation: String) -> Format {
    let words = notation.split(separator: ":")
    switch words[0] {
    case "f32": return .float(fraction: 23, least: -126, largest: .infinity)
    case "f16": return half
    case "bf16": return .float(fraction: 7, least: -126, largest: .infinity)
    case "fp8": return .float(fraction: 3, least: -6, largest: 448)
    case "int8": return .groups(levels: -127...127)
    case "int4": return .groups(levels: 0...15)
    case "int8c": return .channels(levels: -127...127, tokens: Int(words[1])!)
    case "int4c": return .channels(levels: 0...15, tokens: Int(words[1])!)
    default: fatalError("no model of \(notation)")
    }
  }

  /// The rows of a stream as queries read them.
  struct Rows {
    fileprivate let fresh: [Vector]
    fileprivate let quantised: [Vector]
    fileprivate let groupTokens: Int?

    /// Whether the query at `position` sees the row of `token` as it was written.
    func isFresh(_ token: Int, from position: Int) -> Bool {
      groupTokens.map { token / $0 >= position / $0 } ?? true
    }

    /// Row of `token` as the query at `position` sees it.
    func row(_ token: Int, from position: Int) -> Vector {
      isFresh(token, from: position) ? fresh[token] : quantised[token]
    }
  }

  /// What is kept of rows, token after token.
  func stored(_ rows: [Vector]) -> Rows {
    var fresh = rows.map { _ in Vector() }
    var quantised = fresh
    var groupTokens: Int?
    var first = 0
    for part in parts where part.width > 0 {
      let own = rows.map { Array($0[first..<first + part.width]) }
      first += part.width
      if case .channels(let levels, let tokens) = part.format {
        groupTokens = tokens
        let tail = own.map { $0.map { Self.rounded($0, Self.half) } }
        let groups = Self.perChannel(tail, levels, tokens)
        for token in rows.indices {
          fresh[token] += tail[token]
          quantised[token] += groups[token]
        }
      } else {
        for token in rows.indices {
          let kept = Self.row(own[token], part.format)
          fresh[token] += kept
          quantised[token] += kept
        }
      }
    }
    return Rows(fresh: fresh, quantised: quantised, groupTokens: groupTokens)
  }

  private static func row(_ row: Vector, _ format: Format) -> Vector {
    guard case .groups(let levels) = format else { return row.map { rounded($0, format) } }
    return stride(from: 0, to: row.count, by: 32).flatMap { first in
      steps(Array(row[first..<min(first + 32, row.count)]), levels)
    }
  }

  private static func perChannel(
    _ rows: [Vector], _ levels: ClosedRange<Double>, _ tokens: Int
  ) -> [Vector] {
    var result = rows
    for first in stride(from: 0, to: rows.count, by: tokens) {
      let group = first..<min(first + tokens, rows.count)
      for channel in rows[first].indices {
        let kept = steps(group.map { rows[$0][channel] }, levels)
        for (token, value) in zip(group, kept) { result[token][channel] = value }
      }
    }
    return result
  }

  /// Values as multiples of one step.
  private static func steps(_ values: Vector, _ levels: ClosedRange<Double>) -> Vector {
    let low = values.min() ?? 0
    let high = values.max() ?? 0
    let isSymmetric = levels.lowerBound < 0
    let span = isSymmetric ? max(high, -low) / 127 : (high - low) / 15
    let scale = rounded(Double(Float(span)), half)
    let zero = isSymmetric ? 0 : rounded(low, half)
    return values.map { value in
      guard scale > 0 else { return zero }
      let level = ((value - zero) / scale).rounded(.toNearestOrEven)
      return zero + scale * min(max(level, levels.lowerBound), levels.upperBound)
    }
  }

  private static func rounded(_ value: Double, _ format: Format) -> Double {
    guard case .float(let fraction, let least, let largest) = format else { return value }
    guard value != 0, value.isFinite else { return value }
    let exponent = max(Int(value.exponent), least)
    let unit = Double(sign: .plus, exponent: exponent - fraction, significand: 1)
    let kept = (value / unit).rounded(.toNearestOrEven) * unit
    return min(max(kept, -largest), largest)
  }
}
