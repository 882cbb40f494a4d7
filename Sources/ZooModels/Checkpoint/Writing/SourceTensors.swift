import AttentionZoo

/// A checkpoint of which a variant is written: what is copied from it and what it says of itself.
struct SourceTensors {
  let folder: CheckpointFolder
  private let members: [String: JSONValue]
  /// The element type that was asked for; nil: every copied tensor keeps its own.
  private let asked: TensorDType?
  /// The element type of most weights.
  private let main: TensorDType
  /// What the names of its text model begin with, in the place of `model.`.
  private let prefix: String

  init(_ folder: CheckpointFolder, dtype: TensorDType?) throws(CheckpointError) {
    self.folder = folder
    asked = dtype
    let path = folder.path + "/" + CheckpointFolder.configFileName
    let storage = try MappedFile(path: path)
    let root = try storage.withBytes { bytes throws(CheckpointError) in
      try JSONParser.parse(bytes, file: path, place: "")
    }
    guard case .object(let members) = root else {
      throw CheckpointError(
        kind: .malformed, file: path, place: "", found: root.summary, expected: "an object")
    }
    self.members = members
    prefix = CheckpointTensors.prefix(of: folder)
    main = try folder.tensor(named: prefix + "embed_tokens.weight").dtype
  }

  /// The element type of tensors that are not copied.
  var dtype: TensorDType { asked ?? main }

  /// Whether the variant is of the source's architecture, whose names and other parts stay.
  private func isSame(_ config: HFConfig) -> Bool {
    config.architecture == folder.config.architecture && config.native == nil
      && folder.config.native == nil
  }

  /// `name` as the source has it.
  private func sourceName(_ name: String) -> String {
    if name.hasPrefix("model.") { return prefix + name.dropFirst("model.".count) }
    let nested = "language_model." + name
    return !folder.contains(name) && folder.contains(nested) ? nested : name
  }

  /// The source's tensor in place of one that is the same by name and shape, else the tensor itself.
  func copy(of tensor: OutputTensor, config: HFConfig) throws(CheckpointError) -> OutputTensor {
    let name = sourceName(tensor.name)
    guard folder.contains(name) else { return tensor }
    let view = try folder.tensor(named: name)
    guard view.shape == tensor.shape, view.dtype.isPlainFloat else { return tensor }
    return copy(of: view, as: isSame(config) ? name : tensor.name)
  }

  /// Weights go to the type that was asked for; what the source keeps in another (a router in F32,
  /// packed experts) stays as it is.
  private func copy(of view: TensorView, as name: String) -> OutputTensor {
    OutputTensor(name, view, dtype: view.dtype == main ? dtype : view.dtype)
  }

  /// The tensors of a layer: those of the source, but for what the variant has changed.
  func layer(_ layer: DecoderLayer, _ tensors: LayerTensors) throws -> [OutputTensor] {
    let layerPrefix = prefix + "layers.\(tensors.index)."
    let own = folder.names.filter { $0.hasPrefix(layerPrefix) }
    var changed: [String: OutputTensor] = [:]
    func change(_ tensor: OutputTensor) { changed[sourceName(tensor.name)] = tensor }
    let keepsAttention: Bool
    if let module = layer.attention as? MultiHeadAttention, tensors.config.native == nil {
      keepsAttention = true
      // As many heads as there were: nothing was pooled.
      let isPooled = tensors.config.keyValueHeadCount != folder.config.keyValueHeadCount
      for tensor in try tensors.keysAndValues(of: module) {
        if isPooled || !folder.contains(sourceName(tensor.name)) { change(tensor) }
      }
      for tensor in try missingBiases(tensors) where changed[sourceName(tensor.name)] == nil {
        change(tensor)
      }
    } else {
      keepsAttention = false
      try tensors.requireDense(layer)
      for tensor in try tensors.attention(of: layer) {
        let name = sourceName(tensor.name)
        // As they came: Gemma stores its norms without the 1 that a loaded model has added.
        let stays = NativeTensors.unchanged.contains { name.hasSuffix(".self_attn." + $0) }
        change(
          stays && folder.contains(name)
            ? copy(of: try folder.tensor(named: name), as: tensor.name) : tensor)
      }
    }
    var result: [OutputTensor] = []
    for name in own {
      let view = try folder.tensor(named: name)
      if let tensor = changed.removeValue(forKey: name) {
        guard view.dtype.isPlainFloat else {
          throw view.error(
            kind: .unsupported, found: "elements of type \(view.dtype.rawValue)",
            expected: "attention in F32, F16 or BF16, to be converted")
        }
        result.append(isSame(tensors.config) ? tensor.named(name) : tensor)
      } else if keepsAttention || !name.contains(".self_attn.") {
        let plain = "model." + name.dropFirst(prefix.count)
        result.append(copy(of: view, as: isSame(tensors.config) ? name : plain))
      }
    }
    return result + changed.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Zeros for the biases of an architecture that takes the place of one without them; the other
  /// way round is refused.
  private func missingBiases(_ tensors: LayerTensors) throws(CheckpointError) -> [OutputTensor] {
    var result: [OutputTensor] = []
    for projection in LlamaTensorNames.Projection.allCases {
      let name = LlamaTensorNames.layer(tensors.index).bias(projection)
      let has = LlamaTensorNames.hasBias(projection, config: tensors.config)
      let had = folder.contains(sourceName(name))
      if has, !had,
        let extent = LlamaTensorNames.shape(of: projection, config: tensors.config).first
      {
        result.append(OutputTensor(name, [Float](repeating: 0, count: extent)))
      }
      if had, !has {
        throw tensors.unsupported(
          "a bias of \(projection.rawValue)",
          expected: "none, as \(tensors.config.architecture.name) has no place for it")
      }
    }
    return result
  }

  /// Tensors beside the text model (a vision tower), where the architecture stays.
  func others(_ config: HFConfig) throws(CheckpointError) -> [OutputTensor] {
    guard isSame(config) else { return [] }
    let heads = [sourceName(LlamaTensorNames.head)]
    var result: [OutputTensor] = []
    for name in folder.names where !heads.contains(name) {
      let isKnown =
        name.hasPrefix(prefix + "layers.") || name == prefix + "embed_tokens.weight"
        || name == prefix + "norm.weight"
      if !isKnown { result.append(copy(of: try folder.tensor(named: name), as: name)) }
    }
    return result
  }

  /// The source's `config.json` with what differs in `config`; another architecture's is written
  /// anew.
  func configText(for config: HFConfig) -> String {
    guard config.architecture == folder.config.architecture else { return config.json }
    let (before, after) = (folder.config.members, config.members)
    var result = members
    var text: [String: JSONValue]?
    // A multimodal model keeps its text part in an object of its own.
    if case .object(let inner)? = members["text_config"] { text = inner }
    for key in Set(before.keys).union(after.keys) where before[key] != after[key] {
      if text?[key] != nil {
        text?[key] = after[key]
      } else {
        result[key] = after[key]
      }
    }
    if let text { result["text_config"] = .object(text) }
    return JSONValue.object(result).text(indented: true) + "\n"
  }
}

extension TensorDType {
  /// Whether the type is one that weights are written in.
  var isPlainFloat: Bool { torchName != nil }
}

extension OutputTensor {
  /// The same elements under another name.
  func named(_ other: String) -> OutputTensor {
    var copy = self
    copy.name = other
    return copy
  }
}
