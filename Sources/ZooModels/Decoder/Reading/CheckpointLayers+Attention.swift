import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension CheckpointLayers {
  /// MHA, GQA or MQA of a layer.
  func groupedAttention(_ layout: KVLayout) throws -> any AttentionModule {
    let names = LlamaTensorNames.layer(layout.layer)
    return MultiHeadAttention(
      layout: layout, query: try projection(names, .query), key: try projection(names, .key),
      value: try projection(names, .value), output: try projection(names, .output),
      options: try groupedOptions(layer: layout.layer))
  }

  /// What the architecture has beside the projections of grouped heads.
  func groupedOptions(layer: Int) throws -> AttentionOptions {
    let names = LlamaTensorNames.layer(layer)
    let architecture = config.architecture
    let isLocal = config.window(ofLayer: layer) != nil
    let rope = isLocal ? config.localRope ?? config.rope : config.rope
    var options = AttentionOptions(
      rotary: RotaryEmbedding(
        rope, width: config.headDimension, maximumPositions: config.maximumPositions))
    options.normEpsilon = Float(config.rmsNormEpsilon)
    if architecture.hasQueryKeyNorms {
      options.queryNorm = try norm(names.queryNorm, width: config.headDimension)
      options.keyNorm = try norm(names.keyNorm, width: config.headDimension)
    }
    if architecture.hasSinkLogits {
      options.sinkLogits = try tensors.vector(names.sinks, config.headCount)
    }
    if let scalar = config.queryScalar { options.scale = Float(1 / scalar.squareRoot()) }
    if let cap = config.attentionSoftCap { options.softCap = Float(cap) }
    return options
  }

  /// Epsilon of the norms of latents, whatever the configuration says of the others.
  private static let latentNormEpsilon: Float = 1e-6

  /// MLA of a layer (DeepSeek-V2 and V3).
  func latentAttention(_ layout: KVLayout) throws -> any AttentionModule {
    guard case .latent(let shape) = layout.heads else {
      preconditionFailure("a latent architecture has latent layouts")
    }
    let names = LatentTensorNames(layer: layout.layer)
    let (heads, hidden) = (config.headCount, config.hiddenSize)
    let bias = config.hasAttentionBias
    let pairing: RotaryEmbedding.Pairing = config.interleavesRope ? .interleaved : .halfSplit
    var options = AttentionOptions(
      rotary: RotaryEmbedding(
        config.rope, width: shape.ropeWidth, maximumPositions: config.maximumPositions,
        pairing: pairing))
    options.normEpsilon = Self.latentNormEpsilon
    options.latentNorm = try tensors.vector(names.latentNorm, shape.rank)
    let stretch = config.rope.softmaxStretch
    options.scale = Float(stretch * stretch / Double(shape.headWidth).squareRoot())
    var queryDown: LatentAttention.QueryDown?
    if let rank = config.queryLatentRank {
      queryDown = LatentAttention.QueryDown(
        linear: try tensors.linear(names.queryDown, [rank, hidden], bias: bias),
        norm: try tensors.vector(names.queryNorm, rank))
    }
    let query = try tensors.linear(
      queryDown == nil ? names.query : names.queryUp,
      [heads * shape.headWidth, config.queryLatentRank ?? hidden])
    let up = try upProjections(names, shape, heads: heads)
    return LatentAttention(
      layout: layout, shape: shape, query: query, queryDown: queryDown,
      down: try tensors.linear(names.down, [shape.rowWidth, hidden], bias: bias),
      keyUp: up.key, valueUp: up.value,
      output: try tensors.linear(names.output, [hidden, heads * shape.valueWidth], bias: bias),
      options: options)
  }

  /// `kv_b_proj` [N(d_n + d_v) × r], as absorption reads it: keys [N][r][d_n], transposed for each
  /// head, values [N][d_v][r].
  private func upProjections(
    _ names: LatentTensorNames, _ shape: LatentShape, heads: Int
  ) throws -> (key: HeadwiseLinear, value: HeadwiseLinear) {
    let (nope, width, rank) = (shape.nopeWidth, shape.valueWidth, shape.rank)
    let stored = try tensors.floats(names.up + ".weight", [heads * (nope + width), rank])
    let from = UnsafePointer(stored.values.pointer(to: Float.self))
    let key = try WeightMatrix(
      outputs: heads * rank, inputs: nope, format: stored.format, pool: tensors.pool
    ) { range, target in
      for (index, row) in range.enumerated() {
        let source = from + row / rank * (nope + width) * rank + row % rank
        for part in 0..<nope { target[index * nope + part] = source[part * rank] }
      }
    }
    let value = try WeightMatrix(
      outputs: heads * width, inputs: rank, format: stored.format, pool: tensors.pool
    ) { range, target in
      for (index, row) in range.enumerated() {
        let source = from + (row / width * (nope + width) + nope + row % width) * rank
        (target + index * rank).update(from: source, count: rank)
      }
    }
    return withExtendedLifetime(stored.values) {
      (HeadwiseLinear(weight: key, heads: heads), HeadwiseLinear(weight: value, heads: heads))
    }
  }
}
