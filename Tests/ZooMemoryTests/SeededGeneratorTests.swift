import Testing
import ZooMemory

@Suite struct SeededGeneratorTests {
  @Test("The same seed gives the same numbers on every machine")
  func reproducible() {
    // SplitMix64 from 0 is 0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F,
    // 0xF88BB8A8724C81EC (its published test vector); xoshiro256++ makes this of them.
    let state: [UInt64] = [
      0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4, 0x06C4_5D18_8009_454F, 0xF88B_B8A8_724C_81EC,
    ]
    let sum = state[0] &+ state[3]
    let expected = ((sum << 23) | (sum >> 41)) &+ state[0]
    var generator = SeededGenerator(seed: 0)
    #expect(generator.next() == expected)
    var (first, second) = (SeededGenerator(seed: 42), SeededGenerator(seed: 42))
    #expect((0..<1000).allSatisfy { _ in first.next() == second.next() })
  }

  @Test("Seeds and streams give different numbers")
  func independent() {
    let starts = (0..<20).flatMap { seed in
      (0..<20).map { stream in
        var generator = SeededGenerator(seed: UInt64(seed), stream: UInt64(stream))
        return generator.next()
      }
    }
    #expect(Set(starts).count == 400)
  }

  @Test("nextUnit is uniform in 0 ..< 1")
  func unit() {
    var generator = SeededGenerator(seed: 7)
    var counts = [Int](repeating: 0, count: 16)
    for _ in 0..<160_000 {
      let value = generator.nextUnit()
      #expect(value >= 0 && value < 1)
      counts[Int(value * 16)] += 1
    }
    // 10,000 each, standard deviation 97.
    #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
  }

  @Test("fill has the deviation asked for, mean 0, and fills odd counts")
  func fill() {
    for count in [0, 1, 2, 3, 99_999] {
      var generator = SeededGenerator(seed: 8)
      var values = [Float](repeating: .nan, count: count + 1)
      generator.fill(&values, count: count, deviation: 0.5)
      #expect(values[count].isNaN)
      #expect(values[..<count].allSatisfy { abs($0) <= 0.5 * 1.7320509 })
      if count > 1000 {
        let mean = values[..<count].reduce(0) { $0 + Double($1) } / Double(count)
        let square = values[..<count].reduce(0) { $0 + Double($1 * $1) } / Double(count)
        #expect(abs(mean) < 0.01)
        #expect(abs(square.squareRoot() - 0.5) < 0.01)
      }
    }
  }
}
