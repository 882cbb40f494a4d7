/// The values that each axis of the notation has. A value, handed to the parser: clients add their
/// own with `adding` and nothing is global.
public struct AxisRegistry: Sendable {
  /// What a row holds and how many query heads read it.
  public private(set) var heads: [any HeadAxisValue.Type]
  /// Which layer owns a row.
  public private(set) var sharings: [any SharingAxisValue.Type]
  /// How far back a layer looks.
  public private(set) var reaches: [any ReachAxisValue.Type]
  /// How an element is stored.
  public private(set) var codecs: [CodecEntry]

  /// Every value of this package.
  public static let standard = AxisRegistry(
    heads: [MultiHead.self, GroupedQuery.self, MultiQuery.self, MultiHeadLatent.self],
    sharings: [CrossLayerSharing.self],
    reaches: [SlidingWindow.self, HybridWindow.self],
    codecs: [
      CodecEntry(Float32Codec()), CodecEntry(Float16Codec()), CodecEntry(BFloat16Codec()),
      CodecEntry(Float8Codec()), CodecEntry(Int8Codec()), CodecEntry(Int4Codec()),
      PerChannelCodec.entry(.int8), PerChannelCodec.entry(.int4),
    ])

  private init(
    heads: [any HeadAxisValue.Type], sharings: [any SharingAxisValue.Type],
    reaches: [any ReachAxisValue.Type], codecs: [CodecEntry]
  ) {
    self.heads = heads
    self.sharings = sharings
    self.reaches = reaches
    self.codecs = codecs
  }

  /// The registry with one more head value; one of the same keyword is replaced.
  public func adding(_ value: any HeadAxisValue.Type) -> AxisRegistry {
    var copy = self
    copy.heads = heads.filter { $0.keyword != value.keyword } + [value]
    return copy
  }

  /// The registry with one more sharing value.
  public func adding(_ value: any SharingAxisValue.Type) -> AxisRegistry {
    var copy = self
    copy.sharings = sharings.filter { $0.keyword != value.keyword } + [value]
    return copy
  }

  /// The registry with one more reach value.
  public func adding(_ value: any ReachAxisValue.Type) -> AxisRegistry {
    var copy = self
    copy.reaches = reaches.filter { $0.keyword != value.keyword } + [value]
    return copy
  }

  /// The registry with one more codec.
  public func adding(_ value: CodecEntry) -> AxisRegistry {
    var copy = self
    copy.codecs = codecs.filter { $0.keyword != value.keyword } + [value]
    return copy
  }
}

/// A codec of the registry: how its notation reads.
public struct CodecEntry: Sendable {
  /// The word that starts the notation.
  public let keyword: String
  /// The form with parameters named: `int8c:G`.
  public let form: String
  /// One line for lists.
  public let summary: String
  /// Notations small enough for tests.
  public let samples: [String]
  /// Reads the parameters, the text after `keyword` without its colon (nil without one).
  public let make: @Sendable (_ parameters: String?) throws(NotationError) -> any KVCodec

  public init(
    keyword: String, form: String, summary: String, samples: [String],
    make: @escaping @Sendable (String?) throws(NotationError) -> any KVCodec
  ) {
    self.keyword = keyword
    self.form = form
    self.summary = summary
    self.samples = samples
    self.make = make
  }

  /// A codec without parameters.
  public init(_ codec: some KVCodec) {
    let name = codec.notation
    self.init(keyword: name, form: name, summary: codec.summary, samples: [name]) {
      parameters throws(NotationError) in
      try AxisParameters.none(parameters, form: name)
      return codec
    }
  }
}
