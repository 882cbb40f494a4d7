import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

/// How the keys of a layer are divided: components that keep their rotation, and components that
/// lose their position. Each is a combination of (head, pair) with one weight for both elements of
/// the pair, so that it commutes with RoPE; all are orthonormal to each other.
struct RopeSplit {
  /// One component.
  struct Component: Sendable {
    struct Part: Sendable {
      var head: Int
      var pair: Int
      var weight: Double
    }
    var parts: [Part]
    /// Radians a position; of no meaning for components that lose it.
    var frequency: Double
  }

  /// Pairs of a head, H/2.
  let pairs: Int
  /// P/2 components each: one slice for all heads, or one a key head.
  let slices: [[Component]]
  /// What loses its position, two rows (real, imaginary) each: all real rows of an entry, then all
  /// imaginary ones. One entry for all heads, or one a key head.
  let rest: [[Component]]
  /// Elements of a query head that meet position-free keys: all H, or those whose pair lost its
  /// position, by key head.
  let nopeElements: [[Int]]
  /// Neighbouring frequencies treated as equal; 1 is exact.
  let fold: Int
  /// Whether the slice turns by stock frequencies.
  let isStock: Bool

  /// Frequencies of all slices, one after the other.
  var frequencies: [Double] { slices.flatMap { $0.map(\.frequency) } }

  /// Rows of position-free keys.
  var nopeRows: Int { 2 * rest.reduce(0) { $0 + $1.count } }

  /// Rows of RoPE keys.
  var ropeRows: Int { 2 * slices.reduce(0) { $0 + $1.count } }

  /// The rows of `matrix` ([K·H × any]) combined: RoPE slices, each half-split.
  func ropeRows(of matrix: DMatrix) -> DMatrix { combined(slices, of: matrix) }

  /// The rows of `matrix` combined: what lost its position, over rows `tail` as they are.
  func nopeRows(of matrix: DMatrix, over tail: Range<Int>) -> DMatrix {
    combined(rest, of: matrix, over: tail)
  }

  /// Position-free rows read back into the elements of key head `head` that queries meet:
  /// [d_n × columns] from [position-free rows × columns].
  func nopeElements(ofHead head: Int, from rows: DMatrix) -> DMatrix {
    let elements = nopeElements[head]
    var place = [Int?](repeating: nil, count: 2 * pairs)
    for (index, element) in elements.enumerated() { place[element] = index }
    var result = DMatrix(rows: elements.count, columns: rows.columns)
    forEachRow(rest) { row, component, half in
      for part in component.parts where part.head == head {
        guard let target = place[part.pair + half * pairs] else { continue }
        result.addRow(target, part.weight, of: rows, row)
      }
    }
    return result
  }

  private func combined(
    _ groups: [[Component]], of matrix: DMatrix, over tail: Range<Int> = 0..<0
  ) -> DMatrix {
    let (count, columns) = (2 * groups.reduce(0) { $0 + $1.count }, matrix.columns)
    let elements = (count + tail.count) * columns
    let values = [Double](unsafeUninitializedCapacity: elements) { buffer, filled in
      matrix.values.withUnsafeBufferPointer { source in
        guard let to = buffer.baseAddress, let from = source.baseAddress else { return }
        forEachRow(groups) { row, component, half in
          let parts = component.parts.filter { $0.weight != 0 }.map { part in
            let row = part.head * 2 * pairs + part.pair + half * pairs
            return (weight: part.weight, row: from + row * columns)
          }
          Self.combine(parts, to: to + row * columns, count: columns)
        }
        (to + count * columns).update(
          from: from + tail.lowerBound * columns, count: tail.count * columns)
      }
      filled = elements
    }
    return DMatrix(rows: count + tail.count, columns: columns, values: values)
  }

  /// target = Σ weight · row, four rows at a time.
  private static func combine(
    _ parts: [(weight: Double, row: UnsafePointer<Double>)],
    to target: UnsafeMutablePointer<Double>, count: Int
  ) {
    target.update(repeating: 0, count: count)
    var rest = parts[...]
    while rest.count >= 4 {
      let (a, b) = (rest.removeFirst(), rest.removeFirst())
      let (c, d) = (rest.removeFirst(), rest.removeFirst())
      for column in 0..<count {
        target[column] +=
          (a.weight * a.row[column] + b.weight * b.row[column])
          + (c.weight * c.row[column] + d.weight * d.row[column])
      }
    }
    for part in rest {
      for column in 0..<count { target[column] += part.weight * part.row[column] }
    }
  }

  private func forEachRow(
    _ groups: [[Component]], _ body: (_ row: Int, _ component: Component, _ half: Int) -> Void
  ) {
    var first = 0
    for group in groups {
      for half in 0..<2 {
        for (index, component) in group.enumerated() {
          body(first + half * group.count + index, component, half)
        }
      }
      first += 2 * group.count
    }
  }
}

extension DMatrix {
  /// Row += factor · row of another.
  mutating func addRow(_ row: Int, _ factor: Double, of other: DMatrix, _ otherRow: Int) {
    let (count, to, from) = (columns, row * columns, otherRow * other.columns)
    values.withUnsafeMutableBufferPointer { target in
      other.values.withUnsafeBufferPointer { source in
        for column in 0..<count { target[to + column] += factor * source[from + column] }
      }
    }
  }
}
