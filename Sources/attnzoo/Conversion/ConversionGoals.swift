import AttentionCore
import ZooHarness
import ZooModels

/// What a comparison converts to: every target under every rule and choice that makes a difference to
/// it, once.
struct ConversionGoals {
  let targets: [Variant]
  let rules: [RankRule]
  let options: [ConversionOptions]
  /// Whether the bytes of every latent target are also spread over the layers.
  let spreads: Bool
  let geometry: ModelGeometry

  func all() throws -> [ConversionRunner.Goal] {
    var goals: [ConversionRunner.Goal] = []
    for target in targets {
      for options in choices(for: target) {
        goals += rules.map { .init(target: target, ranks: $0, options: options) }
        if let spread = try spread(target, options) { goals.append(spread) }
      }
    }
    return goals
  }

  /// Choices that differ for a target: methods only where there is something to factorise, frequencies
  /// only where a shared slice can have either kind.
  private func choices(for target: Variant) -> [ConversionOptions] {
    guard let heads = target.uniform?.heads as? MultiHeadLatent else {
      return Array(options.prefix(1))
    }
    let takesStock = geometry.headWidth.isMultiple(of: heads.ropeWidth)
    var seen: Set<ConversionOptions> = []
    return options.map { options in
      var copy = options
      if heads.ropeSlices > 1 { copy.frequencies = nil }
      if heads.ropeSlices == 1, !takesStock, self.options.count > 1 { copy.frequencies = nil }
      return copy
    }.filter { seen.insert($0).inserted }
  }

  private func spread(
    _ target: Variant, _ options: ConversionOptions
  ) throws -> ConversionRunner.Goal? {
    guard spreads, options.method == .calibrated, target.uniform?.heads is MultiHeadLatent else {
      return nil
    }
    let bytes = try target.layouts(for: geometry).reduce(0) { $0 + $1.idealBytesPerToken }
    let widest = try target.withRank { max($0, geometry.hidden) }
    return .init(target: widest, ranks: .keyValueBytes(bytes), options: options)
  }
}
