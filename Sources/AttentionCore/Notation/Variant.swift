/// One point of the product of the four axes.
public struct VariantSpec: Sendable, Hashable {
  public var heads: any HeadAxisValue
  public var sharing: (any SharingAxisValue)?
  public var reach: (any ReachAxisValue)?
  public var sinks: AttentionSinks?
  public var codec: CodecPair

  /// The codec that is meant where the notation names none.
  public static let defaultCodec = CodecPair(Float16Codec())

  public init(
    heads: any HeadAxisValue, sharing: (any SharingAxisValue)? = nil,
    reach: (any ReachAxisValue)? = nil, sinks: AttentionSinks? = nil,
    codec: CodecPair = VariantSpec.defaultCodec
  ) {
    self.heads = heads
    self.sharing = sharing
    self.reach = reach
    self.sinks = sinks
    self.codec = codec
  }

  /// The shortest notation that reads back the same.
  public var notation: String {
    var text = heads.notation
    if let sharing { text += "/" + sharing.notation }
    if let reach { text += "/" + reach.notation }
    if let sinks { text += "/" + sinks.notation }
    if codec != Self.defaultCodec { text += "@" + codec.notation }
    return text
  }

  public static func == (left: VariantSpec, right: VariantSpec) -> Bool {
    left.notation == right.notation
  }

  public func hash(into hasher: inout Hasher) { hasher.combine(notation) }
}

/// An attention variant of a whole model: one specification for every layer, or a list.
public struct Variant: Sendable, Hashable, CustomStringConvertible {
  /// A specification and the number of consecutive layers that follow it.
  public struct Run: Sendable, Hashable {
    public var spec: VariantSpec
    public var layers: Int

    public init(spec: VariantSpec, layers: Int) {
      self.spec = spec
      self.layers = layers
    }
  }

  private enum Form: Sendable, Hashable {
    case uniform(VariantSpec)
    case list([Run])
  }
  private let form: Form

  /// The same specification in every layer.
  public init(_ spec: VariantSpec) { form = .uniform(spec) }

  /// A list of specifications, in the order of the layers; equal neighbours are joined and runs
  /// without layers dropped.
  public init(list: [Run]) {
    var joined: [Run] = []
    for run in list where run.layers > 0 {
      if let last = joined.last, last.spec == run.spec {
        joined[joined.count - 1].layers += run.layers
      } else {
        joined.append(run)
      }
    }
    form = .list(joined)
  }

  /// The shortest notation that reads back the same.
  public var notation: String {
    switch form {
    case .uniform(let spec): return spec.notation
    case .list(let runs):
      let items = runs.map {
        $0.layers == 1 ? $0.spec.notation : "\($0.spec.notation)*\($0.layers)"
      }
      return "[" + items.joined(separator: ",") + "]"
    }
  }

  public var description: String { notation }

  /// The one specification of every layer, or nil for a list.
  public var uniform: VariantSpec? {
    if case .uniform(let spec) = form { spec } else { nil }
  }

  /// The specification of each layer.
  /// - Throws: `NotationError` where a list does not have the geometry's number of layers.
  public func specs(for geometry: ModelGeometry) throws(NotationError) -> [VariantSpec] {
    switch form {
    case .uniform(let spec): return Array(repeating: spec, count: geometry.layers)
    case .list(let runs):
      let total = runs.reduce(0) { $0 + $1.layers }
      guard total == geometry.layers else {
        throw NotationError(
          notation: notation,
          reason: "the list has \(total) layers, \(geometry.name) has \(geometry.layers)")
      }
      return runs.flatMap { Array(repeating: $0.spec, count: $0.layers) }
    }
  }

  /// The variant with every layer's cache in another codec.
  public func storing(_ codec: CodecPair) -> Variant {
    func changed(_ spec: VariantSpec) -> VariantSpec {
      var copy = spec
      copy.codec = codec
      return copy
    }
    switch form {
    case .uniform(let spec): return Variant(changed(spec))
    case .list(let runs):
      return Variant(list: runs.map { Run(spec: changed($0.spec), layers: $0.layers) })
    }
  }
}
