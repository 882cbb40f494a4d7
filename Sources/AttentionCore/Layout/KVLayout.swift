/// Everything about the bytes of one layer's cache, frozen. The planner sums it, the cache
/// allocates from it, the kernels read by it and the tests hold the allocated bytes against it; no
/// other place computes a size.
public struct KVLayout: Sendable, Hashable {
  /// Index of the layer.
  public let layer: Int
  /// Layer whose rows this layer reads; itself when it owns them.
  public let owner: Int
  /// What the heads are.
  public let heads: HeadArrangement
  /// Rows a token and their widths.
  public let shape: RowShape
  /// How far back the layer looks.
  public let reach: Reach
  /// How elements are stored.
  public let codec: CodecPair
  /// Bytes of one stream's keys.
  public let keys: StoredRows
  /// Bytes of one stream's values; nil where the value is a prefix of the key.
  public let values: StoredRows?

  /// The layout of one layer; sizes follow from shape and codec.
  public init(
    layer: Int, owner: Int, heads: HeadArrangement, shape: RowShape, reach: Reach, codec: CodecPair
  ) {
    self.layer = layer
    self.owner = owner
    self.heads = heads
    self.shape = shape
    self.reach = reach
    self.codec = codec
    keys = StoredRows(Self.keyCodec(shape, codec), width: shape.keyWidth)
    values =
      shape.valueIsKeyPrefix ? nil : StoredRows(codec.second, width: shape.valueWidth)
  }

  /// Keys and, where they are stored apart, values.
  var sides: [StoredRows] { [keys] + (values.map { [$0] } ?? []) }

  /// Tokens that no call may cross a multiple of: those that a codec quantises together.
  public var groupTokens: [Int] { sides.compactMap(\.groupTokens) }

  /// Whether the layer has rows of its own.
  public var ownsRows: Bool { owner == layer }

  /// The codec of a key row: for latent attention of the whole row, whose two parts may differ.
  public var keyCodec: any KVCodec { Self.keyCodec(shape, codec) }

  /// The codec of the latent in a row of latent attention.
  public var latentCodec: any KVCodec { codec.first }

  private static func keyCodec(_ shape: RowShape, _ codec: CodecPair) -> any KVCodec {
    if shape.valueIsKeyPrefix, codec.first.notation != codec.second.notation {
      SplitRowCodec(
        leading: codec.first, trailing: codec.second, leadingWidth: shape.valueWidth)
    } else {
      codec.first
    }
  }

  /// The codec of a value row, where values are stored.
  public var valueCodec: any KVCodec { shape.valueIsKeyPrefix ? keyCodec : codec.second }

  /// Bytes of all rows of one token, whoever owns them; where a group of tokens shares its scales,
  /// the mean over a quantised group, rounded up.
  public var rowBytesPerToken: Int {
    shape.streams * (keys.meanRowBytes + (values?.meanRowBytes ?? 0))
  }

  /// Bytes that one more token adds to what the layer stores, before a window is full; 0 for a
  /// layer that reads another's rows.
  public var idealBytesPerToken: Int { ownsRows ? rowBytesPerToken : 0 }

  /// Bytes that the layer needs for a sequence of `context` tokens: scales, zeros and a tail that is
  /// not quantised yet included.
  public func idealBytes(context: Int) -> Int { ownsRows ? readBytes(context: context) : 0 }

  /// Bytes that one decode step reads when the sequence has `context` tokens, the current one
  /// included. A layer that shares rows reads them too.
  public func readBytes(context: Int) -> Int {
    shape.streams
      * (keys.visibleBytes(context: context, reach: reach)
        + (values?.visibleBytes(context: context, reach: reach) ?? 0))
  }

  /// FLOPs of attend in one decode step at `context` tokens, a multiply and an add counted as two:
  /// scores and weighted sum of every query head.
  public func attendFLOPs(context: Int) -> Int {
    2 * shape.streams * shape.queryHeadsPerStream * (shape.keyWidth + shape.valueWidth)
      * reach.visibleTokens(context: context)
  }
}

extension Variant {
  /// The layout of every layer on `geometry`.
  ///
  /// Ownership under sharing is counted among layers of the same reach, row shape, codec and
  /// sharing value.
  /// - Throws: `NotationError` where the variant has no meaning on the geometry.
  public func layouts(for geometry: ModelGeometry) throws(NotationError) -> [KVLayout] {
    struct Kind: Hashable {
      var sharing: String
      var heads: HeadArrangement
      var reach: Reach
      var codec: CodecPair
    }
    try geometry.checkAttention()
    let specs = try self.specs(for: geometry)
    var kinds: [Kind] = []
    var members: [Kind: [Int]] = [:]
    for (layer, spec) in specs.enumerated() {
      let window = spec.reach?.window(ofLayer: layer, count: geometry.layers)
      let kind = Kind(
        sharing: spec.sharing?.notation ?? "", heads: try spec.heads.arrangement(for: geometry),
        reach: Reach(window: window, sinks: spec.sinks?.tokens ?? 0), codec: spec.codec)
      kinds.append(kind)
      members[kind, default: []].append(layer)
    }
    for kind in kinds { try checkCodec(kind.codec, RowShape(kind.heads, geometry: geometry)) }
    let layouts = kinds.enumerated().map { layer, kind in
      var owner = layer
      if let sharing = specs[layer].sharing, let peers = members[kind],
        let index = peers.firstIndex(of: layer)
      {
        owner = peers[sharing.owner(of: index, count: peers.count)]
      }
      return KVLayout(
        layer: layer, owner: owner, heads: kind.heads,
        shape: RowShape(kind.heads, geometry: geometry), reach: kind.reach, codec: kind.codec)
    }
    guard layouts.reduce(0, { $0 + $1.rowBytesPerToken }) <= Self.mostBytesPerToken else {
      throw NotationError(
        notation: notation,
        reason: "more than \(Self.mostBytesPerToken) bytes a token on \(geometry.name)")
    }
    return layouts
  }

  /// Refuses rows that a codec cannot store.
  private func checkCodec(_ codec: CodecPair, _ shape: RowShape) throws(NotationError) {
    func check(_ codec: any KVCodec, _ width: Int, _ part: String) throws(NotationError) {
      guard width.isMultiple(of: codec.widthMultiple) else {
        throw NotationError(
          notation: notation,
          reason: "\(codec.notation) stores rows of a multiple of \(codec.widthMultiple) elements; "
            + "\(part) has \(width)")
      }
    }
    if !shape.valueIsKeyPrefix {
      try check(codec.first, shape.keyWidth, "the key")
      try check(codec.second, shape.valueWidth, "the value")
    } else if codec.first.notation == codec.second.notation {
      try check(codec.first, shape.keyWidth, "the latent row")
    } else {
      for part in [codec.first, codec.second] where part.kernel.groupTokens != nil {
        throw NotationError(
          notation: notation,
          reason: "\(part.notation) stores whole rows; name it alone, or two codecs without groups "
            + "of tokens for latent and RoPE slice")
      }
      try check(codec.first, shape.valueWidth, "the latent")
      try check(codec.second, shape.keyWidth - shape.valueWidth, "the RoPE slice")
    }
  }

  /// Bytes a token, all layers together, past which a variant is refused: far more than any model
  /// takes, and few enough that bytes of any context stay within an `Int`.
  static let mostBytesPerToken = 1 << 30

  /// Why an axis value saves nothing on `geometry` at `context` tokens, or nil where all do.
  public func noop(
    for geometry: ModelGeometry, context: Int
  ) throws(NotationError) -> String? {
    var reasons: [String] = []
    let layouts = try self.layouts(for: geometry)
    let specs = try specs(for: geometry)
    // Sharing values by which some layer reads another's rows.
    let effective = Set(
      zip(specs, layouts).compactMap { $1.ownsRows ? nil : $0.sharing?.notation })
    for (layout, spec) in zip(layouts, specs) {
      if case .grouped(let heads) = layout.heads, heads == geometry.queryHeads,
        !(spec.heads is MultiHead)
      {
        reasons.append("\(spec.heads.notation) on \(geometry.queryHeads) query heads is mha")
      }
      if let sharing = spec.sharing, !effective.contains(sharing.notation) {
        reasons.append(
          sharing.noop(count: layouts.count)
            ?? "\(sharing.notation) finds no second layer of the same reach")
      }
      if let window = layout.reach.window, window + layout.reach.sinks >= context {
        reasons.append(
          "a window of \(window + layout.reach.sinks) tokens covers the context of \(context)")
      }
    }
    var seen = Set<String>()
    let distinct = reasons.filter { seen.insert($0).inserted }
    return distinct.isEmpty ? nil : distinct.joined(separator: "; ")
  }
}
