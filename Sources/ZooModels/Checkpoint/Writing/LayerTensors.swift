import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

/// The tensors of one decoder layer under the names and in the shapes of a configuration.
struct LayerTensors {
  let config: HFConfig
  /// The folder, for errors.
  let file: String
  let index: Int

  private var names: LlamaTensorNames.Layer { LlamaTensorNames.layer(index) }

  /// All tensors of `layer`, in the order of the forward pass.
  ///
  /// - Throws: `CheckpointError` of kind `unsupported` for what the architecture cannot express,
  ///   `misuse` for shapes that are not the configuration's.
  func all(of layer: DecoderLayer) throws -> [OutputTensor] {
    let attention = try attention(of: layer)
    let norms = [
      OutputTensor(names.inputNorm, layer.attentionNorm),
      OutputTensor(names.postAttentionNorm, layer.mlpNorm),
    ]
    for norm in norms { try norm.require(shape: [config.hiddenSize], file: file) }
    return [norms[0]] + attention + [norms[1]] + (try feedForward(of: layer))
  }

  /// The tensors of a layer's attention.
  func attention(of layer: DecoderLayer) throws -> [OutputTensor] {
    switch layer.attention {
    case let module where config.native != nil:
      return try NativeTensors(file: file, index: index).all(of: module)
    case let module as MultiHeadAttention:
      return try grouped(module)
    case let module as LatentAttention:
      return try LatentTensors(config: config, file: file, index: index)
        .all(of: module, inputGain: layer.attentionNorm)
    case let module:
      throw unsupported(
        "attention of type \(type(of: module))", expected: "grouped or latent heads")
    }
  }

  /// Refuses what DeepSeek-V3 with dense layers has no place for, where its other tensors are copied.
  func requireDense(_ layer: DecoderLayer) throws {
    if config.architecture == .deepseekV3, config.native == nil { _ = try feedForward(of: layer) }
  }

  private func feedForward(of layer: DecoderLayer) throws -> [OutputTensor] {
    guard let mlp = layer.feedForward.dense else {
      throw unsupported(
        "a mixture of experts", expected: "a dense MLP, or the checkpoint to copy it from")
    }
    guard mlp.activation == .silu else {
      throw unsupported("an MLP with another activation than silu", expected: "silu")
    }
    guard layer.attentionOutputNorm == nil, layer.mlpOutputNorm == nil else {
      throw unsupported(
        "norms of the results of attention and MLP",
        expected: "none, as \(config.architecture.name) has no place for them")
    }
    return try projection(.gate, mlp.gate) + projection(.up, mlp.up) + projection(.down, mlp.down)
  }

  /// Query, key, value and output projections of grouped heads, and their norms.
  private func grouped(_ module: MultiHeadAttention) throws -> [OutputTensor] {
    let options = module.options
    guard options.softCap == 0, options.sinkLogits == nil else {
      throw unsupported(
        "a soft cap or sink logits",
        expected: "attention that \(config.architecture.name) can express")
    }
    let rows = try keysAndValues(of: module)
    return try projection(.query, module.query) + rows + projection(.output, module.output)
      + headNorms(options)
  }

  /// Key and value projections of grouped heads, with their biases.
  func keysAndValues(of module: MultiHeadAttention) throws(CheckpointError) -> [OutputTensor] {
    guard !config.architecture.isLatent else {
      throw unsupported(
        "grouped heads for \(config.architecture.name)", expected: "latent heads in every layer")
    }
    guard let key = module.key, let value = module.value else {
      throw unsupported(
        "a layer that reads the rows of layer \(module.layout.owner)",
        expected: "layers with rows of their own: no published architecture shares them")
    }
    guard module.layout.reach.sinks == 0 else {
      throw unsupported("sink tokens", expected: "none: no published architecture keeps them")
    }
    guard module.layout.reach.window == config.window(ofLayer: index) else {
      throw unsupported(
        module.layout.reach.window.map { "a window of \($0) tokens" } ?? "no window",
        expected: config.window(ofLayer: index).map { "\($0) tokens" } ?? "none")
    }
    return try projection(.key, key) + projection(.value, value)
  }

  /// Norms of query and key heads, where the architecture has them.
  private func headNorms(_ options: AttentionOptions) throws(CheckpointError) -> [OutputTensor] {
    guard config.architecture.hasQueryKeyNorms else {
      if options.queryNorm == nil, options.keyNorm == nil { return [] }
      throw unsupported(
        "norms of query and key heads",
        expected: "none, as \(config.architecture.name) has no place for them")
    }
    guard let query = options.queryNorm, let key = options.keyNorm else {
      // A norm of weight 1 is not none.
      throw unsupported(
        "no norms of query and key heads",
        expected: "both, as \(config.architecture.name) always has them")
    }
    return [OutputTensor(names.queryNorm, query), OutputTensor(names.keyNorm, key)]
  }

  /// The matrix of a projection and its bias, as the configuration says.
  func projection(
    _ projection: LlamaTensorNames.Projection, _ linear: Linear
  ) throws(CheckpointError) -> [OutputTensor] {
    let shape = LlamaTensorNames.shape(of: projection, config: config)
    let matrix = OutputTensor(names.weight(projection), linear.weight)
    try matrix.require(shape: shape, file: file)
    guard LlamaTensorNames.hasBias(projection, config: config) else {
      if let bias = linear.bias, bias.contains(where: { $0 != 0 }) {
        throw unsupported(
          "a bias of \(projection.rawValue)",
          expected: "none, as \(config.architecture.name) has no place for it here")
      }
      return [matrix]
    }
    let bias = linear.bias ?? [Float](repeating: 0, count: linear.outputs)
    return [matrix, OutputTensor(names.bias(projection), bias)]
  }

  func unsupported(_ found: String, expected: String) -> CheckpointError {
    CheckpointError(
      kind: .unsupported, file: file, place: "layer \(index)", found: found, expected: expected)
  }
}
