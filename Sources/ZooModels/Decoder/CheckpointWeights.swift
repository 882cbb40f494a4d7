import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension ModelGeometry {
  /// The geometry of a Hugging Face configuration.
  /// - Parameter name: what lists and result rows call the model.
  public init(_ config: HFConfig, name: String) {
    var native =
      config.keyValueHeadCount == config.headCount
      ? "mha" : config.keyValueHeadCount == 1 ? "mqa" : "gqa:\(config.keyValueHeadCount)"
    if let window = config.slidingWindow { native += "/swa:\(window)" }
    self.init(
      name: name, layers: config.layerCount, hidden: config.hiddenSize,
      queryHeads: config.headCount, keyValueHeads: config.keyValueHeadCount,
      headWidth: config.headDimension, mlpWidth: config.intermediateSize,
      vocabulary: config.vocabularySize, tiedEmbeddings: config.tiesEmbeddings,
      maxPositions: config.maximumPositions, native: native)
  }
}

extension DecoderModel {
  /// A model from a Hugging Face folder of the Llama family, as its own variant.
  ///
  /// - Parameters:
  ///   - name: what lists and result rows call the model.
  ///   - format: how matrices are kept; nil: as stored.
  /// - Throws: `CheckpointError` for a missing, misshapen or non-finite tensor, `OutOfMemory`.
  public convenience init(
    checkpoint: CheckpointFolder, name: String, format: WeightFormat? = nil, pool: WorkerPool
  ) throws {
    let config = checkpoint.config
    let geometry = ModelGeometry(config, name: name)
    let variant = try AxisRegistry.standard.variant(geometry.native)
    let layouts = try variant.layouts(for: geometry)
    var reader = CheckpointWeightReader(
      folder: checkpoint, config: config, format: format, pool: pool)
    let rotary = RotaryEmbedding(width: config.headDimension, theta: config.rope.theta)
    let embedding = try reader.matrix(
      LlamaTensorNames.embedding, [config.vocabularySize, config.hiddenSize])
    let layers = try layouts.map { layout in
      let names = LlamaTensorNames.layer(layout.layer)
      return DecoderLayer(
        attentionNorm: try reader.vector(names.inputNorm, config.hiddenSize),
        attention: MultiHeadAttention(
          layout: layout, query: try reader.linear(names, .query),
          key: try reader.linear(names, .key), value: try reader.linear(names, .value),
          output: try reader.linear(names, .output), options: AttentionOptions(rotary: rotary)),
        mlpNorm: try reader.vector(names.postAttentionNorm, config.hiddenSize),
        gate: try reader.linear(names, .gate), up: try reader.linear(names, .up),
        down: try reader.linear(names, .down))
    }
    let finalNorm = try reader.vector(LlamaTensorNames.finalNorm, config.hiddenSize)
    let head =
      config.tiesEmbeddings
      ? nil
      : Linear(
        weight: try reader.matrix(
          LlamaTensorNames.head, [config.vocabularySize, config.hiddenSize]))
    self.init(
      geometry: geometry, variant: variant,
      settings: DecoderSettings(
        normEpsilon: Float(config.rmsNormEpsilon), ropeTheta: config.rope.theta),
      layouts: layouts, embedding: embedding, layers: layers, finalNorm: finalNorm, head: head,
      weightSource: name, weightHash: reader.hash.hexadecimal)
  }
}

/// Reads tensor after tensor, hashing what it reads.
private struct CheckpointWeightReader {
  let folder: CheckpointFolder
  let config: HFConfig
  let format: WeightFormat?
  let pool: WorkerPool
  var hash = ContentHash()

  init(folder: CheckpointFolder, config: HFConfig, format: WeightFormat?, pool: WorkerPool) {
    self.folder = folder
    self.config = config
    self.format = format
    self.pool = pool
  }

  mutating func vector(_ name: String, _ count: Int) throws -> [Float] {
    let values = try folder.floats(named: name, expectedShape: [count])
    values.withUnsafeBytes { hash.combine($0) }
    return values
  }

  mutating func linear(
    _ names: LlamaTensorNames.Layer, _ projection: LlamaTensorNames.Projection
  ) throws -> Linear {
    let shape = LlamaTensorNames.shape(of: projection, config: config)
    let weight = try matrix(names.weight(projection), shape)
    let bias =
      LlamaTensorNames.hasBias(projection, config: config)
      ? try vector(names.bias(projection), shape[0]) : nil
    return Linear(weight: weight, bias: bias)
  }

  mutating func matrix(_ name: String, _ shape: [Int]) throws -> WeightMatrix {
    let tensor = try folder.tensor(named: name, shape: shape)
    let stored: WeightFormat
    switch tensor.dtype {
    case .f32: stored = .float32
    case .f16: stored = .float16
    case .bf16: stored = .bfloat16
    default:
      throw CheckpointError(
        kind: .unsupported, file: tensor.file, place: name, found: tensor.dtype.rawValue,
        expected: "F32, F16 or BF16")
    }
    let weight = try tensor.withUnsafeBytes { bytes throws -> WeightMatrix in
      guard let base = bytes.baseAddress else { throw OutOfMemory(bytes: 0) }
      hash.combine(bytes)
      return try WeightMatrix(
        outputs: shape[0], inputs: shape[1], format: format ?? stored, copying: base,
        storedAs: stored, pool: pool)
    }
    if let place = weight.firstNonFinite() {
      throw CheckpointError(
        kind: .nonFinite, file: tensor.file, place: "\(name)[\(place.output), \(place.input)]",
        found: "NaN or infinity", expected: "a finite weight")
    }
    return weight
  }
}

/// FNV-1a over 8-byte words: tells weights apart, no defence against an adversary.
struct ContentHash {
  private var state: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while offset + 8 <= bytes.count {
      mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    while offset < bytes.count {
      mix(UInt64(bytes[offset]))
      offset += 1
    }
    mix(UInt64(bytes.count))
  }

  private mutating func mix(_ word: UInt64) {
    state = (state ^ word) &* 0x0000_0100_0000_01B3
    state ^= state >> 29
  }

  var hexadecimal: String {
    let text = String(state, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
