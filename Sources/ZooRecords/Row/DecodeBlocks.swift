extension ResultRow {
  /// Time to first token.
  public struct Prefill: Codable, Sendable, Hashable {
    /// Prompt tokens of each sequence.
    public var tokens: Int
    /// Time from the prompt to the logits of its last token, in ms.
    public var ttftMs: Double?
    /// Prompt tokens of all sequences a second.
    public var tokensPerSecond: Double?

    /// A prefill of `tokens` tokens a sequence.
    public init(tokens: Int, ttftMs: Double? = nil, tokensPerSecond: Double? = nil) {
      self.tokens = tokens
      self.ttftMs = ttftMs
      self.tokensPerSecond = tokensPerSecond
    }

    enum CodingKeys: String, CodingKey {
      case tokens
      case ttftMs = "ttft_ms"
      case tokensPerSecond = "tokens_per_s"
    }
  }

  /// Time between two tokens of one sequence, in ms.
  public struct Latency: Codable, Sendable, Hashable {
    /// Arithmetic mean.
    public var mean: Double?
    /// Median.
    public var p50: Double?
    /// 90th percentile.
    public var p90: Double?
    /// 99th percentile.
    public var p99: Double?
    /// Largest.
    public var max: Double?

    /// Latencies in ms; a percentile without enough samples stays absent.
    public init(
      mean: Double? = nil, p50: Double? = nil, p90: Double? = nil, p99: Double? = nil,
      max: Double? = nil
    ) {
      self.mean = mean
      self.p50 = p50
      self.p90 = p90
      self.p99 = p99
      self.max = max
    }

    /// Summary of raw samples in ms; `nil` without samples.
    ///
    /// A percentile q is absent below 10 ÷ (1 − q) samples (20 for the median, 100 for p90, 1,000
    /// for p99); mean and largest are always there. Percentiles are linear between the two nearest
    /// samples.
    public init?(samples: [Double]) {
      let sorted = samples.sorted()
      guard let largest = sorted.last else { return nil }
      func percentile(_ q: Double, from fewest: Int) -> Double? {
        samples.count >= fewest ? Quantile.value(q, ofSorted: sorted) : nil
      }
      mean = samples.reduce(0, +) / Double(samples.count)
      p50 = percentile(0.5, from: 20)
      p90 = percentile(0.9, from: 100)
      p99 = percentile(0.99, from: 1_000)
      max = largest
    }
  }

  /// The decode steps of a case. FLOPs are of one step of all sequences.
  public struct Decode: Codable, Sendable, Hashable {
    /// Timed steps.
    public var steps: Int
    /// Time between two tokens of one sequence.
    public var itlMs: Latency?
    /// New tokens of all sequences a second.
    public var tokensPerSecond: Double?
    /// Raw time of each timed step, in ms, in the order they ran.
    public var samplesMs: [Double]?
    /// Cases with the same value were measured in turn: sample i of each belongs to round i,
    /// so that their samples may be compared in pairs.
    public var round: String?
    /// Attend and merge, ms: the median over the steps, however few.
    public var attentionMs: Double?
    /// Quantise and write, ms: the median over the steps, however few.
    public var appendMs: Double?
    /// MLA's per-head products, ms: the median over the steps, however few.
    public var absorbMs: Double?
    /// FLOPs of attention.
    public var attentionFlops: Double?
    /// Attention FLOPs ÷ cache bytes read.
    public var attentionIntensity: Double?
    /// FLOPs of the whole step.
    public var stepFlops: Double?
    /// Cache bytes read ÷ attention time, GB/s (10⁹).
    public var achievedGBPerSecond: Double?
    /// Attention FLOPs ÷ attention time, GFLOP/s.
    public var achievedGFLOPPerSecond: Double?
    /// Least attention time by the machine's roofs, ms; compared with `attentionMs` only.
    public var rooflineMs: Double?
    /// `rooflineMs` ÷ `attentionMs`.
    public var rooflineFraction: Double?
    /// `rooflineMs` with weights and linear FLOPs added, ms.
    public var stepRooflineMs: Double?
    /// Which roof limits attention.
    public var bound: RowBound?
    /// How MLA computed: `absorbed`, `expanded`, or `automatic` where one call took both.
    public var mlaPath: String?

    /// Decode steps; metrics are set as they are measured.
    public init(
      steps: Int, itlMs: Latency? = nil, tokensPerSecond: Double? = nil,
      samplesMs: [Double]? = nil, round: String? = nil, attentionMs: Double? = nil,
      appendMs: Double? = nil, absorbMs: Double? = nil, attentionFlops: Double? = nil,
      attentionIntensity: Double? = nil, stepFlops: Double? = nil,
      achievedGBPerSecond: Double? = nil, achievedGFLOPPerSecond: Double? = nil,
      rooflineMs: Double? = nil, rooflineFraction: Double? = nil, stepRooflineMs: Double? = nil,
      bound: RowBound? = nil, mlaPath: String? = nil
    ) {
      self.steps = steps
      self.itlMs = itlMs
      self.tokensPerSecond = tokensPerSecond
      self.samplesMs = samplesMs
      self.round = round
      self.attentionMs = attentionMs
      self.appendMs = appendMs
      self.absorbMs = absorbMs
      self.attentionFlops = attentionFlops
      self.attentionIntensity = attentionIntensity
      self.stepFlops = stepFlops
      self.achievedGBPerSecond = achievedGBPerSecond
      self.achievedGFLOPPerSecond = achievedGFLOPPerSecond
      self.rooflineMs = rooflineMs
      self.rooflineFraction = rooflineFraction
      self.stepRooflineMs = stepRooflineMs
      self.bound = bound
      self.mlaPath = mlaPath
    }

    enum CodingKeys: String, CodingKey {
      case steps, round, bound
      case itlMs = "itl_ms"
      case tokensPerSecond = "tokens_per_s"
      case samplesMs = "samples_ms"
      case attentionMs = "attention_ms"
      case appendMs = "append_ms"
      case absorbMs = "absorb_ms"
      case attentionFlops = "attention_flops"
      case attentionIntensity = "attention_intensity"
      case stepFlops = "step_flops"
      case achievedGBPerSecond = "achieved_gb_per_s"
      case achievedGFLOPPerSecond = "achieved_gflop_per_s"
      case rooflineMs = "roofline_ms"
      case rooflineFraction = "roofline_fraction"
      case stepRooflineMs = "step_roofline_ms"
      case mlaPath = "mla_path"
    }
  }
}
