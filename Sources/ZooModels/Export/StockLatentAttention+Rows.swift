import AttentionZoo

extension StockLatentAttention {
  /// Puts the rows of one RoPE slice, which begins at row `first`, into stock order.
  static func arrange(
    _ values: inout [Float], pairs order: [Int], first: Int, from source: LatentAttention,
    columns: Int
  ) {
    let slice = Array(values[first * columns..<(first + 2 * order.count) * columns])
    for (row, from) in rows(order, source).enumerated() {
      let target = (first + row) * columns
      values.replaceSubrange(
        target..<target + columns, with: slice[from * columns..<(from + 1) * columns])
    }
  }

  /// The bias of the down-projection with its RoPE part in stock order.
  static func arranged(
    _ bias: [Float], pairs order: [Int], source: LatentAttention
  ) -> [Float] {
    let rank = source.shape.rank
    return Array(bias[..<rank]) + rows(order, source).map { bias[rank + $0] }
  }

  /// The source's row at each row of an interleaved slice.
  static func rows(_ order: [Int], _ source: LatentAttention) -> [Int] {
    let halfSplit = source.options.rotary?.pairing == .halfSplit
    return order.flatMap { halfSplit ? [$0, $0 + order.count] : [2 * $0, 2 * $0 + 1] }
  }
}
