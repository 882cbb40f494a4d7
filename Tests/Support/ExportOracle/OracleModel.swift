import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// A random model of a kind, with every freedom that an export must carry over.
struct OracleModel {
  enum Kind: String, CaseIterable {
    case latent
    case biasFree = "bias-free"
    case grouped
    case window
    case pattern

    static var names: String { allCases.map(\.rawValue).joined(separator: "|") }
  }

  let kind: Kind
  /// Before anything is exported.
  let model: DecoderModel
  private let pool: WorkerPool
  private let seed: UInt64

  init(_ kind: Kind, seed: UInt64, pool: WorkerPool) throws {
    self.kind = kind
    self.pool = pool
    self.seed = seed
    var draw = Draw(seed: seed)
    let keyValueHeads = draw.one(of: [1, 2, 3])
    let queryHeads = keyValueHeads * draw.one(of: [1, 2, 3])
    let geometry = ModelGeometry(
      name: "oracle", layers: 3, hidden: draw.one(of: [36, 72, 108]), queryHeads: queryHeads,
      keyValueHeads: keyValueHeads, headWidth: draw.one(of: [8, 12, 16]),
      mlpWidth: draw.one(of: [40, 64]), vocabulary: draw.one(of: [61, 96]),
      tiedEmbeddings: draw.chance(0.5), maxPositions: 256,
      latentHeads: LatentHeadWidths(
        nope: draw.one(of: [8, 12, 20]), rope: draw.one(of: [4, 8, 12]),
        value: draw.one(of: [8, 12, 16])))
    let heads =
      keyValueHeads == queryHeads ? "mha" : keyValueHeads == 1 ? "mqa" : "gqa:\(keyValueHeads)"
    let window = draw.one(of: [5, 16])
    let notation =
      switch kind {
      case .latent, .biasFree:
        "mla:\(draw.one(of: [7, 15, 16, 24]))+\(geometry.latentHeads?.rope ?? 0)@f32"
      case .grouped: "\(heads)@f32"
      case .window: "\(heads)/swa:\(window)@f32"
      case .pattern: "\(heads)/hybrid:\(draw.one(of: ["1:1", "2:1"])):\(window)@f32"
      }
    var settings = DecoderSettings()
    settings.ropeTheta = draw.one(of: [10_000, 500_000])
    let random = try DecoderModel(
      randomWeights: geometry, variant: try AxisRegistry.standard.variant(notation),
      format: .float32, settings: settings, seed: seed, pool: pool)
    let layers = random.layers.map { layer in
      var layer = layer
      layer.attentionNorm = draw.floats(geometry.hidden, 0.5...1.5)
      layer.mlpNorm = draw.floats(geometry.hidden, 0.5...1.5)
      if let module = layer.attention as? LatentAttention {
        layer.attention = Self.freed(module, biases: kind == .latent, settings, &draw)
      }
      return layer
    }
    model = DecoderModel(
      geometry: geometry, variant: random.variant, settings: settings, layouts: random.layouts,
      embedding: random.embedding, layers: layers,
      finalNorm: draw.floats(geometry.hidden, 0.5...1.5),
      head: geometry.tiedEmbeddings ? nil : random.head, weightSource: "oracle",
      weightHash: "seed-\(seed)")
  }

  /// A latent layer with a scale of its own, RoPE pairs in any order, and biases.
  private static func freed(
    _ module: LatentAttention, biases: Bool, _ settings: DecoderSettings, _ draw: inout Draw
  ) -> LatentAttention {
    var options = module.options
    options.scale = 0.7 / Float(module.shape.headWidth).squareRoot()
    let frequencies = StockRotary.frequencies(
      theta: settings.ropeTheta, width: module.shape.ropeWidth)
    options.rotary = RotaryEmbedding(
      frequencies: draw.shuffled(frequencies), pairing: .halfSplit)
    func biased(_ linear: Linear) -> Linear {
      biases
        ? Linear(weight: linear.weight, bias: draw.floats(linear.outputs, -0.5...0.5)) : linear
    }
    return LatentAttention(
      layout: module.layout, shape: module.shape,
      query: biases && draw.chance(0.3) ? biased(module.query) : module.query,
      down: module.down.map(biased), keyUp: module.keyUp, valueUp: module.valueUp,
      output: biased(module.output), options: options)
  }

  /// Ids past the windows, and as many as an evaluation of a few pages.
  var tokens: [Int32] {
    var draw = Draw(seed: seed &+ 1)
    return (0..<48).map { _ in Int32(draw.below(model.geometry.vocabulary)) }
  }

  var summary: String {
    let geometry = model.geometry
    return "\(kind.rawValue): \(model.variant.notation), \(geometry.queryHeads) heads, hidden "
      + "\(geometry.hidden)"
  }

  /// Writes the model; without biases after its norms were fitted to the oracle's own tokens.
  func export(to path: String, dtype: TensorDType) throws {
    let written =
      kind == .biasFree
      ? try model.fittingLatentNorms(calibration: [tokens], pool: pool).model : model
    try written.write(to: path, options: ExportOptions(dtype: dtype))
  }

  /// Logits of every token: the first two thirds in one call, the others one by one.
  func logits(_ tokens: [Int32]) throws -> [Float] {
    let cache = try KVCache(
      layouts: model.layouts,
      plan: CachePlan(sequences: 1, capacity: tokens.count, maxChunk: tokens.count))
    return try DecoderRunner(model: model, pool: pool)
      .logits(of: tokens, prefill: tokens.count * 2 / 3, cache: cache)
  }
}

/// Random choices from a seed.
struct Draw {
  private var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  mutating func below(_ count: Int) -> Int {
    min(Int(generator.nextUnit() * Float(count)), count - 1)
  }

  mutating func chance(_ share: Float) -> Bool { generator.nextUnit() < share }

  mutating func one<Element>(of choices: [Element]) -> Element { choices[below(choices.count)] }

  mutating func floats(_ count: Int, _ range: ClosedRange<Float>) -> [Float] {
    (0..<count).map { _ in
      range.lowerBound + generator.nextUnit() * (range.upperBound - range.lowerBound)
    }
  }

  mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for index in result.indices.dropFirst().reversed() {
      result.swapAt(index, below(index + 1))
    }
    return result
  }
}
