import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory

/// What a checkpoint may add to a module holds for every kind of module, cache and schedule.
@Suite("Options of a checkpoint keep every statement about attention")
struct ModuleOptionTests {
  static let variants = [
    "gqa:2@f32", "mla:16+8@f32", "mla:24+8x2@f32", "gqa:2/hybrid:2:1:8/sink:4@f32",
    "gqa:2/cla:2@f32", "mla:16+8/cla:3/swa:16@f32",
  ]

  /// A set of options, by name.
  struct Options: Sendable, CustomStringConvertible {
    var name: String
    var biases = false
    var set: @Sendable (inout AttentionOptions, _ values: inout OptionValues) -> Void = { _, _ in }
    var description: String { name }
  }

  static let options: [Options] = [
    Options(name: "norms") { options, values in
      options.normEpsilon = 1e-3
      if values.isLatent {
        options.latentNorm = values.vector(values.rank, around: 1)
      } else {
        options.queryNorm = values.vector(values.headWidth, around: 1)
        options.keyNorm = values.vector(values.headWidth, around: 1)
      }
    },
    Options(name: "biases on every projection", biases: true),
    Options(name: "interleaved pairs") { options, _ in
      options.rotary = options.rotary.map {
        RotaryEmbedding(frequencies: $0.frequencies, pairing: .interleaved)
      }
    },
    Options(name: "no rotation") { options, _ in options.rotary = nil },
    Options(name: "soft cap and scale") { options, _ in
      options.softCap = 1.5
      options.scale = 0.4
    },
    Options(name: "sink logits") { options, values in
      options.sinkLogits = values.vector(values.heads, around: 0.5)
    },
    Options(name: "everything", biases: true) { options, values in
      options.softCap = 2
      options.scale = 0.3
      options.sinkLogits = values.vector(values.heads, around: 0)
      options.rotary = options.rotary.map {
        RotaryEmbedding(frequencies: $0.frequencies, pairing: .interleaved)
      }
      if values.isLatent {
        options.latentNorm = values.vector(values.rank, around: 1)
      } else {
        options.queryNorm = values.vector(values.headWidth, around: 1)
        options.keyNorm = values.vector(values.headWidth, around: 1)
      }
    },
  ]

  @Test("norms, biases, rotation, soft cap, sink logits and scale", arguments: options)
  func conforms(options: Options) throws {
    let pool = WorkerPool(threads: 2)
    for (turn, variant) in Self.variants.enumerated() {
      var generator = SeededGenerator(seed: 21)
      try ConformanceChecker(
        variant, runs: ConformanceChecker.Run.some(turn: turn), pool: pool,
        customise: { try Self.customise($0, options, &generator) }
      ).check()
    }
  }

  @Test(
    "groups of odd sizes",
    arguments: [
      (6, "gqa:2"), (7, "mqa"), (7, "mha/swa:7/sink:1"), (12, "gqa:3/hybrid:1:1:16"),
      (12, "gqa:4/cla:2"), (7, "mla:16+8"), (6, "mla:24+4x3/swa:16"),
    ])
  func groups(heads: Int, variant: String) throws {
    try ConformanceChecker(
      variant, geometry: ConformanceChecker.geometry(heads: heads),
      runs: ConformanceChecker.Run.some(turn: heads), pool: WorkerPool(threads: 2)
    ).check()
  }

  private static func customise(
    _ module: any AttentionModule, _ set: Options, _ generator: inout SeededGenerator
  ) throws -> any AttentionModule {
    switch module {
    case let module as MultiHeadAttention:
      let shape = module.layout.shape
      var values = OptionValues(
        isLatent: false, rank: 0, headWidth: shape.keyWidth,
        heads: shape.streams * shape.queryHeadsPerStream, generator: generator)
      var options = module.options
      set.set(&options, &values)
      let result = MultiHeadAttention(
        layout: module.layout, query: values.biased(module.query, set.biases),
        key: module.key.map { values.biased($0, set.biases) },
        value: module.value.map { values.biased($0, set.biases) },
        output: values.biased(module.output, set.biases), options: options)
      generator = values.generator
      return result
    case let module as LatentAttention:
      var values = OptionValues(
        isLatent: true, rank: module.shape.rank, headWidth: module.shape.headWidth,
        heads: module.heads, generator: generator)
      var options = module.options
      set.set(&options, &values)
      let result = LatentAttention(
        layout: module.layout, shape: module.shape, query: values.biased(module.query, set.biases),
        down: module.down.map { values.biased($0, set.biases) }, keyUp: module.keyUp,
        valueUp: module.valueUp, output: values.biased(module.output, set.biases),
        options: options)
      generator = values.generator
      return result
    default:
      Issue.record("a module that the tests do not know")
      return module
    }
  }
}

/// Makes the values of a module's options.
struct OptionValues {
  let isLatent: Bool
  let rank: Int
  let headWidth: Int
  let heads: Int
  var generator: SeededGenerator

  mutating func vector(_ count: Int, around mean: Float) -> [Float] {
    var values = [Float](repeating: 0, count: count)
    generator.fill(&values, count: count, deviation: 0.3)
    return values.map { mean + $0 }
  }

  mutating func biased(_ linear: Linear, _ wanted: Bool) -> Linear {
    wanted ? Linear(weight: linear.weight, bias: vector(linear.outputs, around: 0)) : linear
  }
}
