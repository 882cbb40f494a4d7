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

  /// The rows of `matrix` ([K·H × any]) combined: what lost its position.
  func nopeRows(of matrix: DMatrix) -> DMatrix { combined(rest, of: matrix) }

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

  private func combined(_ groups: [[Component]], of matrix: DMatrix) -> DMatrix {
    var result = DMatrix(
      rows: 2 * groups.reduce(0) { $0 + $1.count }, columns: matrix.columns)
    forEachRow(groups) { row, component, half in
      for part in component.parts where part.weight != 0 {
        result.addRow(
          row, part.weight, of: matrix, part.head * 2 * pairs + part.pair + half * pairs)
      }
    }
    return result
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
