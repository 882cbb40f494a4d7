import AttentionCore
import AttentionZoo
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("Latent attention from calibration tokens")
struct CalibratedConversionTests {
  private let pool = WorkerPool(threads: 2)

  private func source(_ notation: String = "mha@f32") throws -> DecoderModel {
    try ConversionFixture.model(notation, pool: pool)
  }

  private func converted(
    _ model: DecoderModel, _ notation: String, _ options: ConversionOptions = ConversionOptions(),
    segments: Int = 4
  ) throws -> (model: DecoderModel, losses: [LayerLosses]) {
    try model.converted(
      to: try AxisRegistry.standard.variant(notation),
      calibration: ConversionFixture.segments(segments), options: options, pool: pool)
  }

  private func error(_ model: DecoderModel, from source: DecoderModel) throws -> Double {
    try ConversionFixture.error(model, from: source, pool: pool)
  }

  @Test(
    "reproduces the source where the RoPE slice is whole and the rank full",
    arguments: [
      ("mha@f32", "mla:48+16x4@f32"), ("gqa:2@f32", "mla:32+16x2@f32"),
      ("mqa@f32", "mla:32+16@f32"), ("mha@f32", "mla:48+64@f32"),
    ], ConversionOptions.Method.allCases)
  func reproduces(_ pair: (from: String, to: String), method: ConversionOptions.Method) throws {
    let source = try source(pair.from)
    let result = try converted(source, pair.to, ConversionOptions(method: method))
    #expect(try error(result.model, from: source) < 2e-5)
    for layer in result.losses {
      #expect(try #require(layer.outputError) < 2e-5)
      #expect(try #require(layer.factors).projectionError < 1e-6)
    }
  }

  @Test(
    "reproduces a source with biases: those of values move to the output, those of RoPE keys stay",
    arguments: ["+64@f32", "+16x4@f32"], [false, true])
  func biases(slice: String, sinkLogits: Bool) throws {
    let source = try ConversionFixture.biased(source(), sinkLogits: sinkLogits)
    // With sink logits the latent itself must carry the constant: one direction more.
    let result = try converted(source, "mla:\(sinkLogits ? 49 : 48)\(slice)")
    #expect(try error(result.model, from: source) < 5e-5)
    let module = try #require(result.model.layers[0].attention as? LatentAttention)
    #expect(module.down?.bias != nil)
    let folded = module.output.bias?.contains { abs($0) > 1e-3 } ?? false
    #expect(folded == !sinkLogits)
  }

  @Test(
    "keeps the magnitude of a stretched rotation (YaRN) on rotated and position-free parts alike")
  func magnitude() throws {
    let source = try ConversionFixture.edited(source()) { module in
      var options = module.options
      // Without a turn there is no difference between rotated and not.
      options.rotary = options.rotary.map {
        RotaryEmbedding(
          frequencies: $0.frequencies.map { $0 * 1e-9 }, pairing: .halfSplit, magnitude: 1.3)
      }
      return module.with(options: options)
    }
    for slice in ["8", "8x4"] {
      let result = try converted(
        source, "mla:48+\(slice)", ConversionOptions(frequencies: .byEnergy))
      let options = try #require(result.model.layers[0].attention as? LatentAttention).options
      #expect(options.rotary?.magnitude == 1.3)
    }
    // Stacks of 48 directions: nothing is cut, and nothing turns.
    #expect(
      try error(converted(source, "mla:48+8@f32").model, from: source) < 2e-5)
  }

  @Test("a bias on position-free keys means nothing where the softmax is over keys alone")
  func droppedBias() throws {
    let source = try source()
    let shifted = try ConversionFixture.biased(source, sinkLogits: false)
    // The same split of the same weights: only RoPE keys differ by their bias.
    let options = ConversionOptions(method: .weightsOnly, fold: 1)
    let (plain, biased) = (
      try converted(source, "mla:40+16@f32", options),
      try converted(shifted, "mla:40+16@f32", options)
    )
    let (left, right) = (
      try #require(plain.model.layers[0].attention as? LatentAttention),
      try #require(biased.model.layers[0].attention as? LatentAttention)
    )
    let bias = try #require(right.down?.bias)
    #expect(bias[..<40].allSatisfy { $0 == 0 } && bias[40...].contains { abs($0) > 1e-3 })
    #expect(left.down?.bias == nil)
  }

  @Test("is the exact source before anything is dropped, whatever rotation the moments ask for")
  func rotation() throws {
    // All components kept in a fold of 1: scores of the rotated heads equal those of the source's.
    for notation in ["mha@f32", "gqa:2@f32"] {
      let source = try source(notation)
      let all = notation == "mha@f32" ? 64 : 32
      for frequencies in [ConversionOptions.Frequencies.byEnergy] {
        let result = try converted(
          source, "mla:48+\(all)@f32",
          ConversionOptions(fold: 1, frequencies: frequencies))
        #expect(try error(result.model, from: source) < 2e-5)
      }
      // A fold of two frequencies that differ is not a rotation that RoPE lets through.
      let folded = try converted(source, "mla:48+\(all)@f32", ConversionOptions(fold: 2))
      #expect(try error(folded.model, from: source) > 1e-3)
    }
  }

  @Test("loses the less, the higher the rank", arguments: ConversionOptions.Method.allCases)
  func monotonic(method: ConversionOptions.Method) throws {
    let source = try source()
    for slice in ["16", "8x4"] {
      let results = try [8, 16, 24, 32, 40, 48].map {
        try converted(source, "mla:\($0)+\(slice)@f32", ConversionOptions(method: method, fold: 1))
      }
      for layer in 0..<source.geometry.layers {
        let errors = try results.map {
          try #require($0.losses[layer].factors).projectionError
        }
        #expect(zip(errors, errors.dropFirst()).allSatisfy { $0 >= $1 - 1e-9 }, "\(errors)")
        #expect(errors[0] > 0.1 && errors[5] < 1e-6, "\(errors)")
      }
    }
  }

  @Test("keeps more of what calibration saw than the weights alone do")
  func calibratedWins() throws {
    let source = try source()
    for slice in ["16", "8x4"] {
      let (seen, blind) = (
        try converted(source, "mla:20+\(slice)@f32"),
        try converted(source, "mla:20+\(slice)@f32", ConversionOptions(method: .weightsOnly))
      )
      let errors = [seen, blind].map { result in
        result.losses.compactMap { $0.outputError }.reduce(0, +)
      }
      #expect(errors[0] < errors[1], "\(slice): \(errors)")
    }
  }

  @Test("stock frequencies are each n-th of the source's, the same in every layer")
  func stockFrequencies() throws {
    let source = try source()
    for fold in [2, 4, 8] {
      let model = try converted(source, "mla:40+8@f32", ConversionOptions(fold: fold)).model
      for layer in model.layers {
        let module = try #require(layer.attention as? LatentAttention)
        let rotary = try #require(module.options.rotary)
        let stock = RotaryEmbedding(width: 8, theta: source.settings.ropeTheta)
        for (left, right) in zip(rotary.frequencies, stock.frequencies) {
          #expect(abs(left / right - 1) < 1e-12)
        }
      }
    }
  }

  @Test("the measured fold is as good as any that could be named")
  func measuredFold() throws {
    let source = try source()
    let measured = try converted(source, "mla:48+8@f32")
    let first = try [2, 4, 8].map {
      try #require(
        converted(source, "mla:48+8@f32", ConversionOptions(fold: $0)).losses[0].outputError)
    }
    let own = try #require(measured.losses[0].outputError)
    #expect(own <= (first.min() ?? 0) * 1.02, "\(own) of \(first)")
  }

  @Test("readers of shared rows read their owner's latent with their own queries")
  func shared() throws {
    let source = try source()
    let grouped = try source.converted(to: try AxisRegistry.standard.variant("mha/cla:2@f32"))
    let latent = try converted(source, "mla:48+64/cla:2@f32")
    #expect(try error(latent.model, from: grouped) < 2e-5)
    #expect(latent.losses[1].factors == nil && latent.losses[1].keyValueBytesAfter == 0)
  }

  @Test(
    "what cannot be factorised is refused in one line",
    arguments: [
      ("mha@f32", "mla:49+8", ConversionOptions(), 4, "rank 49 is larger"),
      ("mha@f32", "mla:16+66", ConversionOptions(), 4, "wider than the keys"),
      ("mha@f32", "mla:16+8x2", ConversionOptions(), 4, "expected one RoPE slice or 4"),
      ("mha@f32", "mla:16+8", ConversionOptions(fold: 3), 4, "a fold of 3 is not possible"),
      (
        "mha@f32", "mla:16+12", ConversionOptions(frequencies: .stock), 4,
        "divides the head's 16, not 12"
      ),
      ("mha@f32", "mla:40+8", ConversionOptions(), 0, "needs tokens"),
      ("mla:16+8@f32", "gqa:2", ConversionOptions(), 4, "no keys and values of its own"),
    ])
  func refusals(
    from: String, to: String, options: ConversionOptions, segments: Int, reason: String
  ) throws {
    let error = #expect(throws: ConversionError.self) {
      _ = try converted(source(from), to, options, segments: segments)
    }
    let text = "\(try #require(error))"
    #expect(text.contains(reason) && text.contains(to) && !text.contains("\n"), "\(text)")
  }

  @Test("too few tokens, norms of heads, and what is not finite are refused")
  func hostile() throws {
    let source = try source()
    let target = try AxisRegistry.standard.variant("mla:40+8@f32")
    func refusal(_ model: DecoderModel, _ tokens: [[Int32]]) -> String {
      let error = #expect(throws: ConversionError.self) {
        _ = try model.converted(to: target, calibration: tokens, pool: pool)
      }
      return error.map { "\($0)" } ?? ""
    }
    #expect(refusal(source, [[1, 2, 3]]).contains("3 calibration tokens are too few for rank 40"))
    let normed = try ConversionFixture.edited(source) { module in
      var options = module.options
      options.keyNorm = Array(repeating: 1, count: 16)
      return module.with(options: options)
    }
    #expect(refusal(normed, ConversionFixture.segments(4)).contains("normalises queries or keys"))
    let broken = try ConversionFixture.edited(source) { module in
      module.with(key: try ConversionFixture.changed(module.key) { $0 == 7 ? .nan : $1 })
    }
    #expect(refusal(broken, ConversionFixture.segments(4)).contains("found NaN or infinity"))
  }
}
