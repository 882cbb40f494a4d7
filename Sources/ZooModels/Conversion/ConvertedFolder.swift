import AttentionCore
import AttentionZoo
import ZooLinearAlgebra

/// A converted checkpoint on its way to a folder: written layer by layer, whole or not at all.
///
/// What a published architecture can say goes out as that architecture, so that other engines read
/// it: grouped heads as the source's own, latent rows with one shared slice of stock frequencies as
/// `DeepseekV3ForCausalLM`. Anything else is written in the package's own form
/// (``HFNativeAttention``), which only this package reads.
public final class ConvertedFolder {
  /// How the weights are written.
  public enum Form: String, Sendable, CaseIterable {
    /// The source's architecture, or the nearest that has windows.
    case grouped
    /// `DeepseekV3ForCausalLM` with the constant channel: one latent element of every row.
    case deepseek
    /// The package's own.
    case native
  }

  /// Which form to take.
  public enum Choice: String, Sendable, CaseIterable {
    /// A published architecture where one can say it.
    case automatic = "auto"
    /// A published architecture, or an error.
    case published
    case native
  }

  public let form: Form
  /// What layers must be converted to: the target, or, where a channel of the latent is taken by a
  /// constant, the target with a rank of one less.
  public let factorised: Variant
  private let target: Variant
  private let path: String
  private let source: any LayerSource
  private let config: HFConfig
  private let dtype: TensorDType
  private let shardBytes: Int
  private let copied: CheckpointFolder?
  private let isBiasFree: Bool
  private let queryBias: Bool
  private var writer: CheckpointFolderWriter?

  /// - Parameters:
  ///   - path: an empty folder, or none yet.
  ///   - config: the source's.
  ///   - first: the source's first layer.
  ///   - target: with a rank for every layer.
  ///   - isBiasFree: whether layers come with norms of their own (``BiasFreeFit``), which leaves the whole
  ///     rank to them.
  ///   - dtype: nil: as the source stores its weights.
  ///   - copied: the source's folder, of which tensors that stay are copied as they lie.
  /// - Throws: `CheckpointError` where the path is taken or the choice cannot be had;
  ///   `NotationError`.
  public init(
    path: String, source: any LayerSource, config: HFConfig, first: DecoderLayer,
    target: Variant, options: ConversionOptions, choice: Choice = .automatic,
    isBiasFree: Bool = false, dtype: TensorDType,
    shardBytes: Int = CheckpointFolderWriter.defaultShardBytes,
    copying copied: CheckpointFolder? = nil
  ) throws {
    try OutputFolder.requireFree(path)
    self.path = path
    self.source = source
    self.config = config
    self.target = target
    self.dtype = dtype
    self.shardBytes = shardBytes
    self.copied = copied
    self.isBiasFree = isBiasFree
    queryBias = first.attention.queryBias?.contains { $0 != 0 } ?? false
    let layouts = try target.layouts(for: source.geometry)
    let published = try Self.published(
      layouts: layouts, config: config, first: first, target: target, options: options,
      dtype: dtype, isBiasFree: isBiasFree)
    if isBiasFree, published.form != .deepseek || choice == .native {
      throw CheckpointError(
        kind: .unsupported, file: path, place: target.notation,
        found: published.form == nil ? published.reason : "no \(Form.deepseek.rawValue) form",
        expected: "latent attention that DeepseekV3ForCausalLM can say, to do without biases")
    }
    if choice == .native {
      (form, factorised) = (.native, target)
    } else if let form = published.form {
      self.form = form
      factorised = form == .deepseek && !isBiasFree ? try target.withRank { $0 - 1 } : target
    } else if choice == .automatic {
      (form, factorised) = (.native, target)
    } else {
      throw CheckpointError(
        kind: .unsupported, file: path, place: target.notation, found: published.reason,
        expected: "a variant that a published architecture can say")
    }
  }

  /// Refuses a path where something is that would be lost.
  /// - Throws: `CheckpointError`.
  public static func requireFree(_ path: String) throws(CheckpointError) {
    try OutputFolder.requireFree(path)
  }

  /// The published form of a target, or why there is none.
  private static func published(
    layouts: [KVLayout], config: HFConfig, first: DecoderLayer, target: Variant,
    options: ConversionOptions, dtype: TensorDType, isBiasFree: Bool
  ) throws -> (form: Form?, reason: String) {
    guard layouts.contains(where: { $0.shape.valueIsKeyPrefix }) else {
      do {
        _ = try HFConfig.grouped(for: config, layouts: layouts)
        return (.grouped, "")
      } catch {
        return (nil, "\(error.place): \(error.found)")
      }
    }
    guard let spec = target.uniform, let heads = spec.heads as? MultiHeadLatent else {
      return (nil, "layers that differ")
    }
    guard heads.ropeSlices == 1 else { return (nil, "a RoPE slice a key/value head") }
    guard spec.sharing == nil, spec.reach == nil else {
      return (nil, "latent rows that are shared or see a window")
    }
    guard let module = first.attention as? MultiHeadAttention, let rotary = module.options.rotary
    else { return (nil, "a source without rotated heads") }
    guard heads.rank > 1, options.frequencies != .byEnergy,
      RopeSplit.allowsStock(ropeWidth: heads.ropeWidth, pairs: rotary.frequencies.count),
      case .latent(let shape) = layouts[0].heads
    else { return (nil, "RoPE frequencies of its own") }
    let kept = stride(from: 0, to: rotary.frequencies.count, by: rotary.width / heads.ropeWidth)
      .map { rotary.frequencies[$0] }
    do throws(CheckpointError) {
      _ = try HFConfig.deepseekV3(for: config, latent: shape, frequencies: kept)
    } catch {
      return (nil, error.found)
    }
    guard module.options.sinkLogits == nil, module.options.softCap == 0 else {
      return (nil, "sink logits or a soft cap")
    }
    guard dtype != .f16 || isBiasFree else {
      return (nil, "float16, which the constant channel leaves")
    }
    return (.deepseek, "")
  }

  /// Writes a converted layer; layers come in their order.
  /// - Throws: `CheckpointError`, `OutOfMemory`.
  public func write(_ layer: DecoderLayer, index: Int) throws {
    if writer == nil {
      let config = try writtenConfig(layer)
      let writer: CheckpointFolderWriter
      if let copied {
        writer = try CheckpointFolderWriter(
          path: path, config: config, dtype: dtype, shardBytes: shardBytes, copying: copied)
      } else {
        writer = try CheckpointFolderWriter(
          path: path, config: config, dtype: dtype, shardBytes: shardBytes)
      }
      try writer.write(embedding: try source.embedding())
      self.writer = writer
    }
    try writer?.write(layer: layer, index: index)
  }

  private func writtenConfig(_ first: DecoderLayer) throws -> HFConfig {
    switch form {
    case .grouped:
      return try HFConfig.grouped(for: config, layouts: try target.layouts(for: source.geometry))
    case .deepseek:
      guard let module = first.attention as? LatentAttention else {
        preconditionFailure("a latent target has latent layers")
      }
      return try HFConfig.deepseekV3(
        for: config, latent: module.shape, frequencies: module.options.rotary?.frequencies ?? [],
        norm: isBiasFree ? .ownNorm : .constantChannel, queryBias: queryBias)
    case .native:
      var result = config
      result.native = HFNativeAttention(
        variant: target.notation, layers: source.geometry.layers)
      return result
    }
  }

  /// Ends the folder and gives it its name.
  /// - Parameter files: further files, by name.
  public func finish(files: [(name: String, contents: [UInt8])]) throws {
    guard let writer else {
      throw CheckpointError(
        kind: .misuse, file: path, place: "", found: "no layers", expected: "all layers")
    }
    try writer.write(finalNorm: try source.finalNorm(), head: try source.head())
    for file in files { try writer.add(file: file.name, contents: file.contents) }
    try writer.finish()
  }
}

extension AttentionModule {
  /// The bias of a grouped layer's queries.
  fileprivate var queryBias: [Float]? { (self as? MultiHeadAttention)?.query.bias }
}

extension Variant {
  /// The variant with other ranks of its latent layers.
  public func withRank(_ rank: (Int) -> Int) throws(NotationError) -> Variant {
    func changed(_ spec: VariantSpec) throws(NotationError) -> VariantSpec {
      guard let heads = spec.heads as? MultiHeadLatent else { return spec }
      var copy = spec
      copy.heads = try heads.withRank(rank(heads.rank))
      return copy
    }
    guard let uniform else {
      throw NotationError(notation: notation, reason: "expected one specification for all layers")
    }
    return Variant(try changed(uniform))
  }
}

extension MultiHeadLatent {
  /// The same RoPE slices beside a latent of another width.
  func withRank(_ rank: Int) throws(NotationError) -> MultiHeadLatent {
    try MultiHeadLatent(
      parameters: "\(rank)+\(ropeWidth)" + (ropeSlices == 1 ? "" : "x\(ropeSlices)"))
  }
}
