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
    let stock = try StockLatentAttention(
      module, rank: rank, inputGain: inputGain,
      frequencies: StockRotary.frequencies(of: config.rope, width: ropeWidth),
      place: StockLatentAttention.Place(file: file, layer: index))
    return try tensors(of: stock.module)
  }

  private func tensors(of module: LatentAttention) throws -> [OutputTensor] {
    let prefix = "model.layers.\(index).self_attn."
    let (shape, heads) = (module.shape, module.heads)
    guard let down = module.down, let norm = module.options.latentNorm else {
      throw unsupported("a layer without rows of its own", expected: "rows in every layer")
    }
    var tensors = [
      OutputTensor(prefix + "q_proj.weight", module.query.weight),
      OutputTensor(prefix + "kv_a_proj_with_mqa.weight", down.weight),
    ]
    if config.hasAttentionBias {
      tensors.append(
        OutputTensor(
          prefix + "kv_a_proj_with_mqa.bias",
          down.bias ?? [Float](repeating: 0, count: down.outputs)))
    } else {
      try refuse(down.bias, "kv_a_proj_with_mqa")
    }
    tensors += [
      OutputTensor(prefix + "kv_a_layernorm.weight", norm),
      OutputTensor(
        prefix + "kv_b_proj.weight",
        shape: [heads * (shape.nopeWidth + shape.valueWidth), shape.rank], Self.upProjection(module)
      ),
      OutputTensor(prefix + "o_proj.weight", module.output.weight),
    ]
    if config.hasAttentionBias {
      tensors.append(
        OutputTensor(
          prefix + "o_proj.bias",
          module.output.bias ?? [Float](repeating: 0, count: module.output.outputs)))
    } else {
      try refuse(module.output.bias, "o_proj")
    }
    let hidden = config.hiddenSize
    let width = (config.nopeHeadDimension ?? 0) + (config.ropeHeadDimension ?? 0)
    try tensors[0].require(shape: [config.headCount * width, hidden], file: file)
    try tensors[1].require(shape: [shape.rowWidth, hidden], file: file)
    return tensors
  }

  /// `[N][r][d_n]` and `[N][d_v][r]` as `[N][d_n + d_v][r]`.
  private static func upProjection(_ module: LatentAttention) -> [Float] {
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

  private func refuse(_ bias: [Float]?, _ name: String) throws(CheckpointError) {
    guard let bias, bias.contains(where: { $0 != 0 }) else { return }
    throw unsupported("a bias of \(name)", expected: "none in a folder without biases")
  }

  private func unsupported(_ found: String, expected: String) -> CheckpointError {
    CheckpointError(
      kind: .unsupported, file: file, place: "layer \(index)", found: found, expected: expected)
  }
}
