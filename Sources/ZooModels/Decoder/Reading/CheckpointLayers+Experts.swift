import ZooLinearAlgebra
import ZooMemory

extension CheckpointLayers {
  /// The mixture of experts of a layer.
  func experts(_ mixture: HFMixture, names: ExpertTensorNames) throws -> ExpertMixture {
    let isGPTOSS = names.kind == .gptOSS
    let hidden = config.hiddenSize
    let experts: [GatedMLP]
    if isGPTOSS {
      experts = try interleavedExperts(mixture, names)
    } else if tensors.contains(names.allGatesAndUps) {
      experts = try stackedExperts(mixture, names)
    } else {
      experts = try (0..<mixture.expertCount).map {
        try expert(names.projections(ofExpert: $0), width: mixture.width)
      }
    }
    var shared: GatedMLP?
    var sharedGate: Linear?
    if let width = mixture.sharedWidth {
      shared = try expert(names.shared, width: width)
      if names.kind == .qwen2 { sharedGate = try tensors.linear(names.sharedGate, [1, hidden]) }
    }
    return ExpertMixture(
      router: try tensors.linear(
        names.router, [mixture.expertCount, hidden], bias: isGPTOSS),
      routing: try routing(mixture, names), experts: experts, shared: shared,
      sharedGate: sharedGate)
  }

  private func routing(
    _ mixture: HFMixture, _ names: ExpertTensorNames
  ) throws -> ExpertRouting {
    var routing = ExpertRouting(chosen: mixture.expertsPerToken, scoring: .softmax)
    routing.normalises = mixture.normalisesWeights
    routing.scale = Float(mixture.scale)
    routing.groups = mixture.groups
    routing.groupsKept = mixture.groupsKept
    switch names.kind {
    case .mixtral, .qwen2, .qwen3: break
    case .gptOSS: routing.scoring = .softmaxOfChosen
    case .deepseekV2: routing.groupRank = .greatest
    case .deepseekV3:
      routing.scoring = .sigmoid
      routing.correction = try tensors.vector(names.correction, mixture.expertCount)
    }
    return routing
  }

  private func expert(
    _ names: (gate: String, up: String, down: String), width: Int
  ) throws -> GatedMLP {
    let hidden = config.hiddenSize
    return GatedMLP(
      gate: try tensors.linear(names.gate, [width, hidden]),
      up: try tensors.linear(names.up, [width, hidden]),
      down: try tensors.linear(names.down, [hidden, width]))
  }

  /// Experts in one tensor, as transformers holds them in memory: [experts × 2F × D], gates first, and
  /// [experts × D × F].
  private func stackedExperts(
    _ mixture: HFMixture, _ names: ExpertTensorNames
  ) throws -> [GatedMLP] {
    let (count, width, hidden) = (mixture.expertCount, mixture.width, config.hiddenSize)
    func rows(_ name: String, _ tensor: TensorView, _ first: Int, _ count: Int, inputs: Int) throws
      -> Linear
    {
      guard let stored = WeightFormat(tensor.dtype) else {
        throw tensor.error(
          kind: .unsupported, found: tensor.dtype.rawValue, expected: "F32, F16 or BF16")
      }
      return Linear(
        weight: try tensors.copy(
          tensor, rows: first..<first + count, inputs: inputs, stored: stored,
          hashedAs: "\(name)[\(first)]"))
    }
    let both = try tensors.tensor(names.allGatesAndUps, [count, 2 * width, hidden])
    let downs = try tensors.tensor(names.allDowns, [count, hidden, width])
    return try (0..<count).map { index in
      GatedMLP(
        gate: try rows(names.allGatesAndUps, both, 2 * index * width, width, inputs: hidden),
        up: try rows(names.allGatesAndUps, both, (2 * index + 1) * width, width, inputs: hidden),
        down: try rows(names.allDowns, downs, index * hidden, hidden, inputs: width))
    }
  }

  /// gpt-oss's experts: gate and up in turn in one projection, with biases; plain floats, input-major,
  /// or MXFP4, output-major.
  private func interleavedExperts(
    _ mixture: HFMixture, _ names: ExpertTensorNames
  ) throws -> [GatedMLP] {
    let (count, width, hidden) = (mixture.expertCount, mixture.width, config.hiddenSize)
    let both = try ExpertProjection(
      names.allGatesAndUps, experts: count, outputs: 2 * width, inputs: hidden, tensors)
    let down = try ExpertProjection(
      names.allDowns, experts: count, outputs: hidden, inputs: width, tensors)
    let activation = GatedActivation.clampedSwish(
      alpha: Float(mixture.swishAlpha), limit: Float(mixture.swishLimit))
    return try (0..<count).map { index in
      let pair = try both.maps(ofExpert: index, every: 2)
      return GatedMLP(
        gate: pair[0], up: pair[1], down: try down.maps(ofExpert: index, every: 1)[0],
        activation: activation)
    }
  }
}

/// One projection of all experts of a gpt-oss layer.
private struct ExpertProjection {
  private enum Stored {
    /// [experts × inputs × outputs].
    case plain(TensorView, WeightFormat)
    /// [experts × outputs × inputs].
    case microscaled(MicroscaledWeights)
  }
  private let name: String
  private let stored: Stored
  private let outputs: Int
  private let inputs: Int
  private let biases: [Float]
  private let tensors: CheckpointTensors

  init(
    _ name: String, experts: Int, outputs: Int, inputs: Int, _ tensors: CheckpointTensors
  ) throws {
    self.name = name
    self.outputs = outputs
    self.inputs = inputs
    self.tensors = tensors
    let blocks = name + "_blocks"
    if tensors.contains(blocks) {
      let group = MicroscaledWeights.group
      let groups = inputs / group
      let view = try tensors.tensor(blocks, [experts, outputs, groups, group / 2])
      guard inputs.isMultiple(of: group), view.dtype == .u8 else {
        throw view.error(
          kind: .unsupported, found: "\(view.dtype.rawValue) for \(inputs) inputs",
          expected: "U8 and a multiple of \(group) inputs")
      }
      let scales = try tensors.tensor(name + "_scales", [experts, outputs, groups])
      guard scales.dtype.byteWidth == 1 else {
        throw scales.error(
          kind: .unsupported, found: scales.dtype.rawValue, expected: "U8")
      }
      stored = .microscaled(MicroscaledWeights(blocks: view, scales: scales, inputs: inputs))
    } else {
      let view = try tensors.tensor(name, [experts, inputs, outputs])
      guard let format = WeightFormat(view.dtype) else {
        throw view.error(
          kind: .unsupported, found: view.dtype.rawValue, expected: "F32, F16 or BF16")
      }
      stored = .plain(view, format)
    }
    biases = try tensors.tensor(name + "_bias", [experts, outputs]).floats()
    biases.withUnsafeBufferPointer {
      if let base = $0.baseAddress { tensors.noteValues(base, count: $0.count, of: name + "_bias") }
    }
  }

  /// The maps of an expert whose outputs are interleaved `every` by `every`.
  func maps(ofExpert expert: Int, every: Int) throws -> [Linear] {
    let rows = outputs / every
    switch stored {
    case .microscaled(let weights):
      return try (0..<every).map { part in
        let matrix = try tensors.decoded(
          "\(name)[\(expert)][\(part)]", outputs: rows, inputs: inputs,
          format: tensors.format ?? .bfloat16, of: weights.blocks
        ) { range, target in
          for (index, row) in range.enumerated() {
            weights.decode(
              row: expert * outputs + row * every + part, to: target + index * inputs)
          }
        }
        return Linear(weight: matrix, bias: bias(expert, part, every))
      }
    case .plain(let view, let format):
      let count = inputs * outputs
      let values = try AlignedBuffer(count: count * MemoryLayout<Float>.stride)
      let from = values.pointer(to: Float.self)
      try view.copyFloats(expert * count..<(expert + 1) * count, into: from)
      return try (0..<every).map { part in
        let matrix = try tensors.decoded(
          "\(name)[\(expert)][\(part)]", outputs: rows, inputs: inputs,
          format: tensors.format ?? format, of: view
        ) { range, target in
          for (index, row) in range.enumerated() {
            let source = from + row * every + part
            for input in 0..<inputs {
              target[index * inputs + input] = source[input * outputs]
            }
          }
        }
        return Linear(weight: matrix, bias: bias(expert, part, every))
      }
    }
  }

  private func bias(_ expert: Int, _ part: Int, _ every: Int) -> [Float] {
    stride(from: expert * outputs + part, to: (expert + 1) * outputs, by: every)
      .map { biases[$0] }
  }
}
