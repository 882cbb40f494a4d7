import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

extension DecoderModel {
  /// The model as another variant, from its weights alone, without data or training.
  ///
  /// Key and value heads of a group are mean-pooled (arXiv 2305.13245); latent rows come from a
  /// rotation of the key heads that commutes with RoPE and a singular value decomposition
  /// (arXiv 2502.07864, weights only); layers that share rows lose their key and value projections;
  /// windows change no weight. Everything but attention is shared with the source, not copied. This is
  /// the conversion of `eval --variants` and of suites.
  ///
  /// What such a conversion loses says nothing about a variant that was trained.
  /// - Throws: `NotationError`, `ConversionError`, `LAPACKError`, `OutOfMemory`.
  public func converted(to target: Variant) throws -> DecoderModel {
    let layouts = try target.layouts(for: geometry)
    var converter = LayerConverter(
      target: target, layouts: layouts,
      options: ConversionOptions(method: .weightsOnly, fold: 1, frequencies: .byEnergy))
    let converted = try layers.enumerated().map { index, layer in
      var copy = layer
      copy.attention = try converter.convert(layer.attention, layer: index, moments: nil).attention
      return copy
    }
    return replacing(layers: converted, variant: target, layouts: layouts)
  }

  /// The model with other layers, of another variant.
  func replacing(
    layers: [DecoderLayer], variant: Variant, layouts: [KVLayout]
  ) -> DecoderModel {
    DecoderModel(
      geometry: geometry, variant: variant, settings: settings, layouts: layouts,
      embedding: embedding, layers: layers, finalNorm: finalNorm, head: untiedHead,
      weightSource: weightSource, weightHash: weightHash)
  }
}

extension MultiHeadAttention {
  /// The module with the key and value heads of each group replaced by their mean.
  func pooled(
    to layout: KVLayout, keyValueHeads: Int, target: Variant
  ) throws -> MultiHeadAttention {
    func pool(_ projection: Linear?, width: Int) throws -> Linear? {
      guard layout.ownsRows, let projection else { return nil }
      let heads = projection.outputs / width
      guard heads.isMultiple(of: keyValueHeads) else {
        throw ConversionError(
          target: target.notation, layer: layout.layer,
          reason: "\(heads) key/value heads cannot be pooled to \(keyValueHeads)")
      }
      return heads == keyValueHeads
        ? projection : try projection.meanPooled(heads: heads, to: keyValueHeads)
    }
    return MultiHeadAttention(
      layout: layout, query: query, key: try pool(key, width: layout.shape.keyWidth),
      value: try pool(value, width: layout.shape.valueWidth), output: output, options: options)
  }
}

extension Linear {
  /// `[heads·H × D]` → `[groups·H × D]`: row j of a group is the mean of row j of its heads.
  func meanPooled(heads: Int, to groups: Int) throws(OutOfMemory) -> Linear {
    let width = outputs / heads
    let perGroup = heads / groups
    let source = try Matrix(rows: outputs, columns: inputs)
    weight.decodeRows(0..<outputs, to: source.pointer)
    let result = try Matrix(rows: groups * width, columns: inputs)
    var pooledBias = bias.map { _ in [Float](repeating: 0, count: groups * width) }
    for head in 0..<heads {
      for row in 0..<width {
        let from = (head * width + row)
        let to = (head / perGroup * width + row)
        for column in 0..<inputs {
          result.pointer[to * inputs + column] +=
            source.pointer[from * inputs + column] / Float(perGroup)
        }
        if let bias { pooledBias?[to] += bias[from] / Float(perGroup) }
      }
    }
    return Linear(
      weight: try WeightMatrix(
        outputs: groups * width, inputs: inputs, format: weight.format, values: result.pointer),
      bias: pooledBias)
  }
}
