import AttentionCore

extension DecoderRunner {
  /// Logits of every token of one text, as a server would come by them: the first tokens are read in
  /// one call, the others a few at a time through the cache.
  ///
  /// - Parameters:
  ///   - prefill: tokens of the first call, at least 1.
  ///   - step: tokens of every other call.
  ///   - cache: with room for one more sequence, of as many tokens as there are.
  /// - Returns: [tokens × V], row-major.
  /// - Throws: as `forward`.
  public func logits(
    of tokens: [Int32], prefill: Int, step: Int = 1, cache: KVCache
  ) throws -> [Float] {
    let sequence = try cache.addSequence()
    var result: [Float] = []
    result.reserveCapacity(tokens.count * model.geometry.vocabulary)
    var start = 0
    while start < tokens.count {
      let count = min(start == 0 ? prefill : step, tokens.count - start)
      let rows = try forward(
        tokens: Array(tokens[start..<start + count]), plan: BatchPlan([(sequence, start, count)]),
        cache: cache, logits: .all)
      for row in 0..<count {
        result += UnsafeBufferPointer(start: rows.row(row), count: rows.columns)
      }
      start += count
    }
    return result
  }
}
