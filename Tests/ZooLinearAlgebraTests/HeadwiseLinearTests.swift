import Testing
import ZooLinearAlgebra
import ZooMemory

@Suite struct HeadwiseLinearTests {
  /// Where the vectors of all heads lie in one flat array.
  struct Layout {
    let tokenStride: Int
    let headStride: Int
    let count: Int

    /// Heads side by side within a token, with gaps after each head and token.
    static func headsWithinToken(heads: Int, width: Int, tokens: Int) -> Layout {
      let headStride = width + 2
      let tokenStride = heads * headStride + 3
      return Layout(
        tokenStride: tokenStride, headStride: headStride, count: tokens * tokenStride)
    }

    /// All tokens of a head together.
    static func tokensWithinHead(heads: Int, width: Int, tokens: Int) -> Layout {
      let headStride = tokens * width
      return Layout(tokenStride: width, headStride: headStride, count: heads * headStride)
    }
  }

  static func product(
    _ linear: HeadwiseLinear, input: [Float], from: Layout, to: Layout, tokens: Int,
    pool: WorkerPool
  ) throws -> [Float] {
    let scratch = try LinearScratch(maximumInputs: linear.inputs, threads: pool.threads)
    var output = [Float](repeating: 77, count: to.count)
    input.withUnsafeBufferPointer { input in
      output.withUnsafeMutableBufferPointer { output in
        guard let input = input.baseAddress, let output = output.baseAddress else { return }
        linear.apply(
          input: HeadwiseView(input, tokenStride: from.tokenStride, headStride: from.headStride),
          output: MutableHeadwiseView(
            output, tokenStride: to.tokenStride, headStride: to.headStride),
          tokens: tokens, pool: pool, scratch: scratch)
      }
    }
    return output
  }

  @Test("Each head's product equals its float64 reference", arguments: WeightFormat.allCases)
  func reference(format: WeightFormat) throws {
    let pool = WorkerPool(threads: 2)
    for (heads, m, n) in [(1, 8, 8), (3, 17, 40), (7, 129, 33), (5, 520, 24), (2, 70, 140)] {
      let weight = try WeightMatrix(
        outputs: heads * m, inputs: n, format: format, seed: 11, deviation: 1)
      let linear = HeadwiseLinear(weight: weight, heads: heads)
      let weights = (0..<(heads * m)).map { weight.values(ofRow: $0) }
      for tokens in [1, 2, 4, 5, 32, 33, 64, 70] {
        let from = Layout.headsWithinToken(heads: heads, width: n, tokens: tokens)
        let input = randomValues(from.count, seed: 12)
        for to in [
          Layout.headsWithinToken(heads: heads, width: m, tokens: tokens),
          Layout.tokensWithinHead(heads: heads, width: m, tokens: tokens),
        ] {
          let output = try Self.product(
            linear, input: input, from: from, to: to, tokens: tokens, pool: pool)
          var wrong = 0
          var written = 0
          input.withUnsafeBufferPointer { input in
            guard let input = input.baseAddress else { return }
            for token in 0..<tokens {
              for head in 0..<heads {
                let row = input + token * from.tokenStride + head * from.headStride
                for out in 0..<m {
                  let (value, magnitude) = ZooLinearAlgebraTests.reference(
                    weights[head * m + out], row)
                  let got = output[token * to.tokenStride + head * to.headStride + out]
                  if got != 77 { written += 1 }
                  if !(abs(Double(got) - value) <= accumulationTolerance(terms: n) * magnitude) {
                    wrong += 1
                  }
                }
              }
            }
          }
          #expect(wrong == 0, "\(heads) heads, \(m) × \(n), \(tokens) tokens")
          #expect(output.count { $0 != 77 } == written, "a gap was written")
        }
      }
    }
  }

  @Test("The number of threads changes no bit", arguments: WeightFormat.allCases)
  func threadsChangeNothing(format: WeightFormat) throws {
    let weight = try WeightMatrix(
      outputs: 9 * 67, inputs: 35, format: format, seed: 13, deviation: 1)
    let linear = HeadwiseLinear(weight: weight, heads: 9)
    let pools = [1, 2, 3].map { WorkerPool(threads: $0) }
    for tokens in [1, 4, 31, 40] {
      let from = Layout.tokensWithinHead(heads: 9, width: 35, tokens: tokens)
      let to = Layout.headsWithinToken(heads: 9, width: 67, tokens: tokens)
      let input = randomValues(from.count, seed: 14)
      let results = try pools.map {
        try Self.product(linear, input: input, from: from, to: to, tokens: tokens, pool: $0)
      }
      #expect(results.allSatisfy { $0 == results[0] }, "\(tokens) tokens")
    }
  }

  @Test("Absorbing: query · (weight · latent) equals (weightᵀ · query) · latent")
  func absorption() throws {
    let (heads, width, rank) = (4, 24, 56)
    let pool = WorkerPool(threads: 2)
    let up = try WeightMatrix(
      outputs: heads * width, inputs: rank, format: .float32, seed: 15, deviation: 1)
    let absorbed = HeadwiseLinear(weight: try up.transposingBlocks(heads), heads: heads)
    let (query, latent) = (randomValues(heads * width, seed: 16), randomValues(rank, seed: 17))
    let mapped = try Self.product(
      absorbed, input: query,
      from: Layout(tokenStride: heads * width, headStride: width, count: heads * width),
      to: Layout(tokenStride: heads * rank, headStride: rank, count: heads * rank), tokens: 1,
      pool: pool)
    for head in 0..<heads {
      var (expanded, absorbed) = (0.0, 0.0)
      for element in 0..<width {
        let key = up.values(ofRow: head * width + element)
        expanded +=
          Double(query[head * width + element])
          * zip(key, latent).reduce(0) { $0 + Double($1.0) * Double($1.1) }
      }
      for index in 0..<rank { absorbed += Double(mapped[head * rank + index] * latent[index]) }
      #expect(abs(expanded - absorbed) < 1e-3)
    }
  }
}
