extension ResultRow {
  /// The largest batch within a byte budget.
  public struct MaxBatch: Codable, Sendable, Hashable {
    /// Bytes that weights, cache and workspace may take together.
    public var budgetBytes: Int
    /// How the budget was stated where it depends on the variant: `weights+4GiB`.
    public var budgetRule: String?
    /// What a child with an empty cache takes beside the budget.
    public var fixedOverheadBytes: Int?
    /// Sequences that fit by computation.
    public var computed: Int?
    /// Sequences that really ran.
    public var measured: Int?
    /// The term that binds: `cache`, `workspace` or `overhead`.
    public var limitedBy: String?
    /// New tokens of all sequences a second at the largest batch.
    public var tokensPerSecondAtMax: Double?
    /// Whether that rate was measured or predicted; absent means as the row.
    public var rateOrigin: RowOrigin?

    /// The outcome of a search within `budgetBytes`.
    public init(
      budgetBytes: Int, budgetRule: String? = nil, fixedOverheadBytes: Int? = nil,
      computed: Int? = nil,
      measured: Int? = nil, limitedBy: String? = nil, tokensPerSecondAtMax: Double? = nil,
      rateOrigin: RowOrigin? = nil
    ) {
      self.budgetBytes = budgetBytes
      self.budgetRule = budgetRule
      self.fixedOverheadBytes = fixedOverheadBytes
      self.computed = computed
      self.measured = measured
      self.limitedBy = limitedBy
      self.tokensPerSecondAtMax = tokensPerSecondAtMax
      self.rateOrigin = rateOrigin
    }

    enum CodingKeys: String, CodingKey {
      case computed, measured
      case budgetBytes = "budget_bytes"
      case budgetRule = "budget_rule"
      case fixedOverheadBytes = "fixed_overhead_bytes"
      case limitedBy = "limited_by"
      case tokensPerSecondAtMax = "tokens_per_s_at_max"
      case rateOrigin = "tokens_per_s_origin"
    }
  }

  /// Two ends of a 95 % interval.
  public struct Interval: Codable, Sendable, Hashable {
    /// Lower end.
    public var low: Double
    /// Upper end.
    public var high: Double

    /// An interval from `low` to `high`.
    public init(low: Double, high: Double) {
      self.low = low
      self.high = high
    }
  }

  /// Quality after one step of a conversion.
  public struct ConversionStage: Codable, Sendable, Hashable {
    /// Name of the step, such as `rope split`.
    public var name: String
    /// Bits per byte after it.
    public var bitsPerByte: Double

    /// The quality after a named step.
    public init(name: String, bitsPerByte: Double) {
      self.name = name
      self.bitsPerByte = bitsPerByte
    }

    enum CodingKeys: String, CodingKey {
      case name
      case bitsPerByte = "bits_per_byte"
    }
  }

  /// Quality against a reference.
  public struct Fidelity: Codable, Sendable, Hashable {
    /// What the number was measured on.
    public var kind: FidelityKind
    /// The model and variant compared with, such as `embedded mha@f32`.
    public var reference: String
    /// Largest absolute difference of a logit.
    public var maxAbsError: Double?
    /// Mean KL(original ‖ variant) over the vocabulary, nats.
    public var meanKL: Double?
    /// 99th percentile of KL over positions, nats.
    public var p99KL: Double?
    /// Fraction of positions whose most likely token is the reference's.
    public var top1Agreement: Double?
    /// Bits per byte of the evaluation text.
    public var bitsPerByte: Double?
    /// Nats per token, for models over tokens.
    public var natsPerToken: Double?
    /// Nats per token of the reference on the same tokens.
    public var referenceNatsPerToken: Double?
    /// 95 % interval of `natsPerToken` − `referenceNatsPerToken`, by bootstrap over segments,
    /// paired with the reference.
    public var natsPerTokenChange: Interval?
    /// Bits per byte of the reference on the same text.
    public var referenceBitsPerByte: Double?
    /// 95 % interval of `bitsPerByte` − `referenceBitsPerByte`, by bootstrap over segments,
    /// paired with the reference.
    public var bitsPerByteChange: Interval?
    /// Segments scored.
    public var segments: Int?
    /// Quality after each step of the conversion, in order.
    public var stages: [ConversionStage]?

    /// Quality of a kind against a reference; metrics are set as they are measured.
    public init(
      kind: FidelityKind, reference: String, maxAbsError: Double? = nil, meanKL: Double? = nil,
      p99KL: Double? = nil, top1Agreement: Double? = nil, bitsPerByte: Double? = nil,
      natsPerToken: Double? = nil, referenceBitsPerByte: Double? = nil,
      bitsPerByteChange: Interval? = nil, referenceNatsPerToken: Double? = nil,
      natsPerTokenChange: Interval? = nil, segments: Int? = nil, stages: [ConversionStage]? = nil
    ) {
      self.kind = kind
      self.reference = reference
      self.maxAbsError = maxAbsError
      self.meanKL = meanKL
      self.p99KL = p99KL
      self.top1Agreement = top1Agreement
      self.bitsPerByte = bitsPerByte
      self.natsPerToken = natsPerToken
      self.referenceBitsPerByte = referenceBitsPerByte
      self.bitsPerByteChange = bitsPerByteChange
      self.referenceNatsPerToken = referenceNatsPerToken
      self.natsPerTokenChange = natsPerTokenChange
      self.segments = segments
      self.stages = stages
    }

    enum CodingKeys: String, CodingKey {
      case kind, reference, segments, stages
      case maxAbsError = "max_abs_error"
      case meanKL = "mean_kl"
      case p99KL = "p99_kl"
      case top1Agreement = "top1_agreement"
      case bitsPerByte = "bits_per_byte"
      case natsPerToken = "nats_per_token"
      case referenceBitsPerByte = "reference_bits_per_byte"
      case referenceNatsPerToken = "reference_nats_per_token"
      case natsPerTokenChange = "nats_per_token_change"
      case bitsPerByteChange = "bits_per_byte_change"
    }
  }
}
