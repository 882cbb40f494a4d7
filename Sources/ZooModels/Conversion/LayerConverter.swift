import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// One layer's attention as another variant, and what that lost.
public struct LayerConversion: Sendable {
  /// The converted attention.
  public let attention: any AttentionModule
  /// The same with nothing but its RoPE split done and no rank reduced; nil for grouped targets.
  public let split: LatentAttention?
  /// What is known of the factorisation; nil for grouped targets and for layers that read another's
  /// rows.
  public let factors: LayerFactors?
}

/// What is known of one layer's factorisation.
public struct LayerFactors: Sendable, Hashable {
  /// Width of the latent.
  public var rank: Int
  /// Neighbouring frequencies that the shared slice treated as equal.
  public var fold: Int
  /// Whether the shared slice turns by stock frequencies.
  public var stockFrequencies: Bool
  /// What position-free keys were multiplied by.
  public var balance: Double
  /// Relative Frobenius errors of position-free keys and values after the rank reduction, over the
  /// calibration tokens (of the weights, without any); `projections` of both, balanced.
  public var keyError: Double
  public var valueError: Double
  public var projectionError: Double
  /// Share of the energy that the latent keeps, of what was decomposed.
  public var energyKept: Double
}

/// Converts the attention of a model's layers, in their order. It keeps the rows of layers whose
/// rows later ones read, and nothing else.
public struct LayerConverter: Sendable {
  public let target: Variant
  public let options: ConversionOptions
  /// The target's layouts.
  public let layouts: [KVLayout]
  private let pool: WorkerPool?
  private var shared: [Int: (reduced: LatentBasis, split: LatentBasis)] = [:]
  /// The fold of the next layer's shared split where it is known already and the options leave it open.
  var measuredFold: Int?
  private var rotaries: [Int: RotaryEmbedding] = [:]

  /// - Parameter pool: shares out what the factorisation leaves to be done row by row.
  public init(
    target: Variant, layouts: [KVLayout], options: ConversionOptions, pool: WorkerPool? = nil
  ) {
    self.pool = pool
    self.target = target
    self.layouts = layouts
    self.options = options
  }

  /// Measures a candidate for the layer's RoPE split: any number that is smaller for a better one.
  public typealias SplitMeasure = (LatentAttention) throws -> Double

  /// Converts one layer.
  /// - Parameters:
  ///   - source: a layer of grouped attention that owns its rows.
  ///   - moments: of its keys and values; needed to factorise it calibrated, and read for a layer
  ///     that owns rows only.
  ///   - measuresSplit: whether the split alone is wanted, too.
  ///   - measure: chooses the fold where the options leave it open; nil: the least.
  /// - Throws: `ConversionError`, `OutOfMemory`.
  public mutating func convert(
    _ attention: any AttentionModule, layer: Int, moments: ProjectionMoments?,
    measuresSplit: Bool = false, measure: SplitMeasure? = nil
  ) throws -> LayerConversion {
    let layout = layouts[layer]
    guard let source = attention as? MultiHeadAttention, source.layout.ownsRows else {
      throw ConversionError(
        target: target.notation, layer: layer,
        reason: "the source has no keys and values of its own; expected mha, gqa or mqa")
    }
    if layout.ownsRows {
      rotaries[layer] = hasReaders(after: layer, owner: layer) ? source.options.rotary : nil
    } else if rotaries[layout.owner] != source.options.rotary {
      throw refusal(
        layer,
        "it rotates by other frequencies than layer \(layout.owner), whose rows it would read")
    }
    switch layout.heads {
    case .grouped(let heads):
      return LayerConversion(
        attention: try source.pooled(to: layout, keyValueHeads: heads, target: target),
        split: nil, factors: nil)
    case .latent(let shape):
      do {
        return try latent(
          source, layout: layout, shape: shape, moments: moments, measuresSplit: measuresSplit,
          measure: measure)
      } catch let error as LAPACKError {
        throw refusal(layer, "\(error)")
      }
    }
  }

  private func hasReaders(after layer: Int, owner: Int) -> Bool {
    layouts.contains { $0.owner == owner && $0.layer > layer }
  }

  func refusal(_ layer: Int, _ reason: String) -> ConversionError {
    ConversionError(target: target.notation, layer: layer, reason: reason)
  }

  private mutating func latent(
    _ source: MultiHeadAttention, layout: KVLayout, shape: LatentShape,
    moments: ProjectionMoments?, measuresSplit: Bool, measure: SplitMeasure?
  ) throws -> LayerConversion {
    var factors: LayerFactors?
    let bases: (reduced: LatentBasis, split: LatentBasis)
    if layout.ownsRows {
      let factorisation = try factorisation(
        source, layout: layout, shape: shape, moments: moments, measure: measure)
      let reduced = try factorisation.basis(rank: shape.rank)
      factors = Self.factors(reduced, factorisation.balance)
      let split = try measuresSplit ? factorisation.basis(rank: nil) : reduced
      bases = (reduced, split)
      if hasReaders(after: layout.layer, owner: layout.layer) { shared[layout.layer] = bases }
    } else {
      guard let owner = shared[layout.owner] else {
        throw refusal(layout.layer, "layer \(layout.owner), whose rows it reads, comes first")
      }
      guard owner.reduced.keyUp.count == source.layout.shape.streams else {
        throw refusal(
          layout.layer, "layers that share rows must have as many key/value heads as the owner")
      }
      bases = owner
      if !hasReaders(after: layout.layer, owner: layout.owner) { shared[layout.owner] = nil }
    }
    return LayerConversion(
      attention: try bases.reduced.module(
        source, layout: layout, shape: shape, pool: pool),
      split: measuresSplit ? try splitModule(bases.split, source, layout, shape) : nil,
      factors: factors)
  }

  func splitModule(
    _ basis: LatentBasis, _ source: MultiHeadAttention, _ layout: KVLayout, _ shape: LatentShape
  ) throws -> LatentAttention {
    var whole = shape
    whole.rank = basis.rank
    var rows = layout.shape
    rows.keyWidth = whole.rowWidth
    rows.valueWidth = whole.rank
    return try basis.module(
      source,
      layout: KVLayout(
        layer: layout.layer, owner: layout.owner, heads: .latent(whole), shape: rows,
        reach: layout.reach, codec: layout.codec), shape: whole, pool: pool)
  }

  private static func factors(_ basis: LatentBasis, _ balance: Double) -> LayerFactors {
    let total = basis.energies.reduce(0, +)
    return LayerFactors(
      rank: basis.rank, fold: basis.split.fold, stockFrequencies: basis.split.isStock,
      balance: balance, keyError: basis.errors.keys, valueError: basis.errors.values,
      projectionError: basis.errors.both,
      energyKept: total > 0 ? basis.energies.prefix(basis.rank).reduce(0, +) / total : 1)
  }

  /// Energy along the directions of a layer's latent, most first: what ranks are spread by.
  /// - Throws: as `convert`.
  public func spectrum(
    _ attention: any AttentionModule, layer: Int, moments: ProjectionMoments?,
    measure: SplitMeasure? = nil
  ) throws -> [Double] {
    guard let source = attention as? MultiHeadAttention,
      case .latent(var shape) = layouts[layer].heads
    else { throw refusal(layer, "only grouped attention that becomes latent has a spectrum") }
    shape.rank = 1
    do {
      return try factorisation(
        source, layout: layouts[layer], shape: shape, moments: moments, measure: measure
      ).spectrum()
    } catch let error as LAPACKError {
      throw refusal(layer, "\(error)")
    }
  }
}
