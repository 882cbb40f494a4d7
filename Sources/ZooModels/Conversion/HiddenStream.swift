import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Hidden states of segments of tokens, carried through a decoder one layer at a time, so that only
/// one layer is in memory. Every segment starts at position 0.
///
/// It holds tokens × D float32 elements.
public final class HiddenStream {
  /// [tokens × D], segment after segment.
  private let states: Matrix
  /// Rows of each segment.
  public let segments: [Range<Int>]
  private let settings: DecoderSettings
  private let runner: DecoderLayerRunner
  private var caches: RowCaches

  /// - Parameters:
  ///   - tokens: ids, one list a segment.
  ///   - table: `[V × D]`.
  /// - Throws: `TokenError` for an id outside the vocabulary, `OutOfMemory`.
  public init(
    tokens: [[Int32]], table: WeightMatrix, settings: DecoderSettings, runner: DecoderLayerRunner
  ) throws {
    self.settings = settings
    self.runner = runner
    var ranges: [Range<Int>] = []
    var first = 0
    for segment in tokens {
      for token in segment where token < 0 || Int(token) >= table.outputs {
        throw TokenError(id: Int(token), vocabulary: table.outputs)
      }
      ranges.append(first..<first + segment.count)
      first += segment.count
    }
    segments = ranges
    states = try Matrix(rows: max(1, first), columns: table.inputs)
    caches = RowCaches(segments: ranges.map(\.count))
    for (range, segment) in zip(ranges, tokens) {
      segment.withUnsafeBufferPointer {
        runner.embed($0, table: table, settings: settings, to: mutable(range))
      }
    }
  }

  /// Tokens of all segments.
  public var tokens: Int { segments.last?.upperBound ?? 0 }

  private func mutable(_ range: Range<Int>) -> MutableMatrixView {
    MutableMatrixView(
      states.pointer + range.lowerBound * states.columns, rows: range.count,
      columns: states.columns)
  }

  /// The hidden states of rows `range`; valid until the next layer.
  public func view(_ range: Range<Int>) -> MatrixView { states.view.rows(range) }

  /// Copies a segment's hidden states, normalised as a layer's attention reads them.
  /// - Throws: `OutOfMemory`.
  func normalised(segment: Int, weight: [Float]) throws(OutOfMemory) -> Matrix {
    let range = segments[segment]
    let result = try Matrix(rows: range.count, columns: states.columns)
    weight.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      Elementwise.rmsNorm(
        input: view(range), weight: base, epsilon: settings.normEpsilon,
        output: MutableMatrixView(result.pointer, rows: result.rows, columns: result.columns))
    }
    return result
  }

  /// Runs one layer over all segments.
  /// - Parameters:
  ///   - layer: with the attention to run.
  ///   - layout: of its rows, owner and reach.
  ///   - readers: layouts of the later layers that read its rows.
  ///   - stopped: asked between segments; true ends the call early with an error.
  /// - Throws: `CacheError`, `OutOfMemory`, `ConversionStopped`.
  public func advance(
    _ layer: DecoderLayer, layout: KVLayout, readers: [KVLayout],
    stopped: () -> Bool = { false }
  ) throws {
    try caches.begin(layout, readers: readers)
    for (index, range) in segments.enumerated() {
      if stopped() { throw ConversionStopped() }
      try caches.withCache(layout, segment: index) { cache, plan in
        try runner.run(
          layer, settings: settings, hidden: mutable(range), plan: plan, cache: cache)
      }
    }
    caches.end(layout)
  }

  /// ‖self − other‖ ÷ ‖other‖ over all hidden states.
  public func relativeError(from other: HiddenStream) -> Double {
    var (difference, whole) = (0.0, 0.0)
    for index in 0..<tokens * states.columns {
      let (left, right) = (Double(states.pointer[index]), Double(other.states.pointer[index]))
      difference += (left - right) * (left - right)
      whole += right * right
    }
    return whole > 0 ? (difference / whole).squareRoot() : 0
  }
}

/// A conversion was asked to stop before its end.
public struct ConversionStopped: Error, Sendable, CustomStringConvertible {
  public init() {}

  public var description: String { "stopped before the end; nothing was written" }
}
