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
    let attention: [OutputTensor]
    switch layer.attention {
    case let module where config.native != nil:
      attention = try NativeTensors(file: file, index: index).all(of: module)
    case let module as MultiHeadAttention:
      attention = try grouped(module)
    case let module as LatentAttention:
      attention = try LatentTensors(config: config, file: file, index: index)
        .all(of: module, inputGain: layer.attentionNorm)
    case let module:
      throw unsupported(
        "attention of type \(type(of: module))", expected: "grouped or latent heads")
    }
    let norms = [
      OutputTensor(names.inputNorm, layer.attentionNorm),
      OutputTensor(names.postAttentionNorm, layer.mlpNorm),
    ]
    for norm in norms { try norm.require(shape: [config.hiddenSize], file: file) }
    return [norms[0]] + attention + [norms[1]] + (try feedForward(of: layer))
  }

  private func feedForward(of layer: DecoderLayer) throws -> [OutputTensor] {
    guard let mlp = layer.feedForward.dense else {
      throw unsupported("a mixture of experts", expected: "a dense MLP")
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

  /// Query, key, value and output projections of grouped heads.
  private func grouped(_ module: MultiHeadAttention) throws -> [OutputTensor] {
    guard config.architecture != .deepseekV3 else {
      throw unsupported(
        "grouped heads for \(config.architecture.name)", expected: "latent heads in every layer")
    }
    guard let key = module.key, let value = module.value else {
      throw unsupported(
        "a layer that reads the rows of layer \(module.layout.owner)",
        expected: "layers with rows of their own: no published architecture shares them")
    }
    let options = module.options
    guard options.softCap == 0, options.sinkLogits == nil, module.layout.reach.sinks == 0 else {
      throw unsupported(
        module.layout.reach.sinks > 0 ? "sink tokens" : "a soft cap or sink logits",
        expected: "attention that \(config.architecture.name) can express")
    }
    return try projection(.query, module.query) + projection(.key, key) + projection(.value, value)
      + projection(.output, module.output) + headNorms(options)
  }

  /// Norms of query and key heads, where the architecture has them.
  private func headNorms(_ options: AttentionOptions) throws(CheckpointError) -> [OutputTensor] {
    guard config.architecture.hasQueryKeyNorms else {
      if options.queryNorm == nil, options.keyNorm == nil { return [] }
      throw unsupported(
        "norms of query and key heads",
        expected: "none, as \(config.architecture.name) has no place for them")
    }
    let ones = [Float](repeating: 1, count: config.headDimension)
    return [
      OutputTensor(names.queryNorm, options.queryNorm ?? ones),
      OutputTensor(names.keyNorm, options.keyNorm ?? ones),
    ]
  }

  /// The matrix of a projection and its bias, as the configuration says.
  private func projection(
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

  private func unsupported(_ found: String, expected: String) -> CheckpointError {
    CheckpointError(
      kind: .unsupported, file: file, place: "layer \(index)", found: found, expected: expected)
  }
}
