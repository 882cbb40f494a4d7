import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

extension CheckpointLayers {
  /// Attention in the package's own form (``NativeTensors``).
  func nativeAttention(_ layout: KVLayout) throws -> any AttentionModule {
    let prefix = NativeTensorNames(layer: layout.layer).prefix
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
      try tensors.linear(
        prefix + name, [outputs, inputs], bias: tensors.contains(prefix + name + ".bias"))
    }
    let (hidden, heads, width) = (config.hiddenSize, config.headCount, config.headDimension)
    var options = try groupedOptions(layer: layout.layer)
    guard case .latent(let shape) = layout.heads else {
      let rows = layout.shape.streams * width
      return MultiHeadAttention(
        layout: layout, query: try linear("q_proj", heads * width, hidden),
        key: layout.ownsRows ? try linear("k_proj", rows, hidden) : nil,
        value: layout.ownsRows ? try linear("v_proj", rows, hidden) : nil,
        output: try linear("o_proj", hidden, heads * width), options: options)
    }
    let frequencies = config.native?.frequencies[layout.layer] ?? []
    options.rotary = options.rotary?.turning(by: frequencies)
    options.scale = options.scale ?? 1 / Float(width).squareRoot()
    options.queryNorm = nil
    options.keyNorm = nil
    let keyUp =
      shape.nopeWidth > 0
      ? try linear("k_up_proj", heads * shape.rank, shape.nopeWidth).weight
      : try WeightMatrix(
        outputs: heads * shape.rank, inputs: 0, format: .float32, values: [0])
    return LatentAttention(
      layout: layout, shape: shape, query: try linear("q_proj", heads * shape.headWidth, hidden),
      down: layout.ownsRows ? try linear("kv_a_proj_with_mqa", shape.rowWidth, hidden) : nil,
      keyUp: HeadwiseLinear(weight: keyUp, heads: heads),
      valueUp: HeadwiseLinear(
        weight: try linear("v_up_proj", heads * shape.valueWidth, shape.rank).weight,
        heads: heads),
      output: try linear("o_proj", hidden, heads * shape.valueWidth), options: options)
  }
}
