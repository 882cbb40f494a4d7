import AttentionCore

/// Turns a target and a rule into a variant with a rank for every layer.
public struct RankPlan {
  private let target: Variant
  private let geometry: ModelGeometry
  private let layouts: [KVLayout]

  /// - Throws: `NotationError`.
  public init(target: Variant, geometry: ModelGeometry) throws(NotationError) {
    self.target = target
    self.geometry = geometry
    layouts = try target.layouts(for: geometry)
  }

  /// The target with the ranks that `rule` gives.
  /// - Parameter spectra: as ``LayerwiseConversion/spectra(stopped:progress:)`` gives them.
  /// - Throws: `ConversionError` where the target has no latent layer, the budget is too small, or
  ///   sharing does not survive ranks that differ; `NotationError`.
  public func variant(_ rule: RankRule, spectra: [[Double]?]) throws -> Variant {
    var ranks: [Int: Int] = [:]
    let owners = layouts.filter { $0.ownsRows && $0.shape.valueIsKeyPrefix }.map(\.layer)
    guard !owners.isEmpty else {
      throw ConversionError(
        target: target.notation, reason: "no layer has a rank to choose; expected mla:R+P")
    }
    let energies = owners.map { spectra[$0] ?? [] }
    let ranges = zip(owners, energies).map { range(of: $0, spectrum: $1) }
    switch rule {
    case .named: return target
    case .energy(let share):
      for (index, owner) in owners.enumerated() {
        ranks[owner] = RankAllocation.rank(
          keeping: share, of: energies[index], in: ranges[index])
      }
    case .keyValueBytes(let budget):
      let fixed = layouts.reduce(0) {
        $0 + ($1.shape.valueIsKeyPrefix ? 0 : $1.idealBytesPerToken)
      }
      let chosen = RankAllocation.ranks(
        spectra: energies, ranges: ranges, budget: budget - fixed
      ) { index, rank in bytes(of: owners[index], rank: rank) }
      guard let chosen else {
        let least = zip(owners, ranges).reduce(fixed) { $0 + bytes(of: $1.0, rank: $1.1.first) }
        throw ConversionError(
          target: target.notation,
          reason: "\(budget) bytes a token are too few; the narrowest latents take \(least)")
      }
      for (owner, rank) in zip(owners, chosen) { ranks[owner] = rank }
    }
    return try list(ranks)
  }

  /// Ranks that a layer's codec can store, up to the notation's.
  private func range(of layer: Int, spectrum: [Double]) -> RankRange {
    guard case .latent(let shape) = layouts[layer].heads else {
      preconditionFailure("only latent layers have ranks")
    }
    let codec = layouts[layer].codec
    let multiple = max(codec.first.widthMultiple, 1)
    let step = max(multiple, RankRange.usualStep / multiple * multiple)
    // One codec stores the whole row, [latent | RoPE slices]; two store the latent by itself.
    let beside =
      codec.first.notation == codec.second.notation ? shape.ropeWidth * shape.ropeSlices : 0
    let odd = (multiple - beside % multiple) % multiple
    // What has no energy left is worth no rank.
    var most = min(shape.rank, max(1, spectrum.count { $0 > 0 }))
    let first = odd > 0 ? odd : min(step, shape.rank)
    most = max(first, most)
    if multiple > 1 { most = first + (most - first) / multiple * multiple }
    return RankRange(first: first, step: step, most: most)
  }

  private func bytes(of layer: Int, rank: Int) -> Int {
    let layout = layouts[layer]
    guard case .latent(var shape) = layout.heads else { return 0 }
    shape.rank = rank
    return KVLayout(
      layer: layer, owner: layer, heads: .latent(shape),
      shape: RowShape(.latent(shape), geometry: geometry), reach: layout.reach,
      codec: layout.codec
    ).idealBytesPerToken
  }

  private func list(_ ranks: [Int: Int]) throws -> Variant {
    let specs = try target.specs(for: geometry)
    let changed = try specs.enumerated().map { layer, spec in
      var copy = spec
      if let rank = ranks[layouts[layer].owner], let heads = spec.heads as? MultiHeadLatent {
        copy.heads = try heads.withRank(rank)
      }
      return copy
    }
    let variant = Variant(list: try withoutPatterns(changed))
    let uniform = changed.dropFirst().allSatisfy { $0 == changed[0] }
    let result = uniform ? Variant(changed[0]) : variant
    guard try result.layouts(for: geometry).map(\.owner) == layouts.map(\.owner) else {
      throw ConversionError(
        target: target.notation,
        reason: "layers that share rows would own others with ranks that differ; name the rank")
    }
    return result
  }

  /// A list names each layer's reach: a hybrid's pattern becomes windows and global layers.
  private func withoutPatterns(_ specs: [VariantSpec]) throws -> [Variant.Run] {
    try specs.enumerated().map { layer, spec in
      var copy = spec
      if let window = layouts[layer].reach.window {
        copy.reach = try SlidingWindow(parameters: "\(window)")
      } else {
        copy.reach = nil
        copy.sinks = nil
      }
      return Variant.Run(spec: copy, layers: 1)
    }
  }
}
