import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

/// The attention tensors of one latent layer as DeepSeek-V3 names and arranges them.
///
/// | tensor | shape |
/// |---|---|
/// | `q_proj.weight` | N(d_n + d_r) × D, each head [position-free, rotated] |
/// | `kv_a_proj_with_mqa.weight`, `.bias` | (r + d_r) × D, latent rows first |
/// | `kv_a_layernorm.weight` | r |
/// | `kv_b_proj.weight` | N(d_n + d_v) × r, each head [key, value] |
/// | `o_proj.weight`, `.bias` | D × N·d_v |
struct LatentTensors {
  let config: HFConfig
  /// The folder, for errors.
  let file: String
  let index: Int

  /// - Parameter inputGain: the gain of the norm before attention, which bounds the latents.
  func all(of module: LatentAttention, inputGain: [Float]) throws -> [OutputTensor] {
    guard config.architecture == .deepseekV3 else {
      throw unsupported(
        "latent heads for \(config.architecture.name)", expected: HFArchitecture.deepseekV3.name)
    }
    guard let rank = config.keyValueLatentRank, let ropeWidth = config.ropeHeadDimension else {
      throw CheckpointError(
        kind: .misuse, file: file, place: "configuration", found: "no latent rank or RoPE width",
        expected: "a configuration from HFConfig.deepseekV3(for:latent:)")
    }
    let stretch = config.rope.softmaxStretch
    let stock = try StockLatentAttention(
      module, rank: rank, inputGain: inputGain,
      rotary: RotaryEmbedding(
        config.rope, width: ropeWidth, maximumPositions: config.maximumPositions,
        pairing: .interleaved), stretch: stretch * stretch, queryRank: config.queryLatentRank,
      place: StockLatentAttention.Place(file: file, layer: index))
    return try tensors(of: stock.module)
  }

  private func tensors(of module: LatentAttention) throws -> [OutputTensor] {
    let names = LatentTensorNames(layer: index)
    let (shape, heads, hidden) = (module.shape, module.heads, config.hiddenSize)
    guard let down = module.down, let norm = module.options.latentNorm else {
      throw unsupported("a layer without rows of its own", expected: "rows in every layer")
    }
    let width = (config.nopeHeadDimension ?? 0) + (config.ropeHeadDimension ?? 0)
    var tensors: [OutputTensor] = []
    if let queryDown = module.queryDown {
      guard config.queryLatentRank == queryDown.linear.outputs else {
        throw unsupported("queries of another rank", expected: "that of the configuration")
      }
      tensors = try linear(names.queryDown, queryDown.linear, [queryDown.linear.outputs, hidden])
      tensors.append(OutputTensor(names.queryNorm, queryDown.norm))
      tensors.append(OutputTensor(names.queryUp + ".weight", module.query.weight))
    } else {
      let query = OutputTensor(names.query + ".weight", module.query.weight)
      try query.require(shape: [config.headCount * width, hidden], file: file)
      tensors = [query]
    }
    tensors += try linear(names.down, down, [shape.rowWidth, hidden])
    tensors.append(OutputTensor(names.latentNorm, norm))
    tensors.append(
      OutputTensor(
        names.up + ".weight", shape: [heads * (shape.nopeWidth + shape.valueWidth), shape.rank],
        Self.upProjection(module)))
    return try tensors + linear(names.output, module.output, [hidden, module.output.inputs])
  }

  /// A projection with a bias where the configuration has biases.
  private func linear(
    _ name: String, _ linear: Linear, _ shape: [Int]
  ) throws(CheckpointError) -> [OutputTensor] {
    let matrix = OutputTensor(name + ".weight", linear.weight)
    try matrix.require(shape: shape, file: file)
    if config.hasAttentionBias {
      let bias = linear.bias ?? [Float](repeating: 0, count: linear.outputs)
      return [matrix, OutputTensor(name + ".bias", bias)]
    }
    guard linear.bias?.allSatisfy({ $0 == 0 }) ?? true else {
      throw unsupported(
        "a bias of \(name.split(separator: ".").last ?? "")",
        expected: "none in a folder without biases")
    }
    return [matrix]
  }

  /// `[N][r][d_n]` and `[N][d_v][r]` as `[N][d_n + d_v][r]`.
  static func upProjection(_ module: LatentAttention) -> [Float] {
    let shape = module.shape
    let rows = shape.nopeWidth + shape.valueWidth
    var result = [Float](repeating: 0, count: module.heads * rows * shape.rank)
    var key = [Float](repeating: 0, count: shape.rank * shape.nopeWidth)
    var value = [Float](repeating: 0, count: shape.valueWidth * shape.rank)
    for head in 0..<module.heads {
      module.keyUp.weight.decodeRows(head * shape.rank..<(head + 1) * shape.rank, to: &key)
      module.valueUp.weight.decodeRows(
        head * shape.valueWidth..<(head + 1) * shape.valueWidth, to: &value)
      let base = head * rows * shape.rank
      for part in 0..<shape.nopeWidth {
        for channel in 0..<shape.rank {
          result[base + part * shape.rank + channel] = key[channel * shape.nopeWidth + part]
        }
      }
      let start = base + shape.nopeWidth * shape.rank
      result.replaceSubrange(start..<start + value.count, with: value)
    }
    return result
  }

  private func unsupported(_ found: String, expected: String) -> CheckpointError {
    CheckpointError(
      kind: .unsupported, file: file, place: "layer \(index)", found: found, expected: expected)
  }
}
