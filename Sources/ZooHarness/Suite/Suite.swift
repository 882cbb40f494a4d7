import AttentionCore
import ZooLinearAlgebra
import ZooRecords

/// What a run measures: the product of variants, contexts and batches in some scopes, on one
/// geometry. Read from a file (`SuiteFile`) or made from flags; both give the same value.
public struct Suite: Sendable, Hashable {
  /// Contexts and batches of a decode scope.
  public struct Grid: Sendable, Hashable {
    /// Tokens of each sequence, the one that a step decodes included.
    public var contexts: [Int]
    /// Sequences decoded together.
    public var batches: [Int]

    /// The product of contexts and batches.
    public init(contexts: [Int], batches: [Int]) {
      self.contexts = contexts
      self.batches = batches
    }
  }

  /// When a case has been measured enough.
  public struct Limits: Sendable, Hashable {
    /// Most timed steps.
    public var steps: Int
    /// Most seconds of timed steps; at least one step is timed.
    public var seconds: Double
    /// Steps before the first timed one.
    public var warmUp: Int
    /// Most seconds of timed steps, of all cases in turn, between two probes of the machine.
    public var secondsBetweenProbes: Double

    /// The default suite's limits where nothing else is given.
    public init(
      steps: Int = 20, seconds: Double = 3, warmUp: Int = 2, secondsBetweenProbes: Double = 30
    ) {
      self.steps = steps
      self.seconds = seconds
      self.warmUp = warmUp
      self.secondsBetweenProbes = secondsBetweenProbes
    }
  }

  /// Grid points whose cases go on longer, so that they have steps enough for far percentiles (a
  /// percentile q needs 10/(1−q): 1,000 steps for p99).
  public struct Tail: Sendable, Hashable {
    /// The contexts and batches.
    public var grid: Grid
    /// Most timed steps there.
    public var steps: Int
    /// Most seconds of timed steps there.
    public var seconds: Double

    /// Longer measurement at some grid points.
    public init(grid: Grid, steps: Int = 1_000, seconds: Double = 120) {
      self.grid = grid
      self.steps = steps
      self.seconds = seconds
    }
  }

  /// The search for the largest batch within a budget.
  public struct MaxBatch: Sendable, Hashable {
    /// What weights, cache and workspace may take together.
    public var budget: ByteBudget
    /// Tokens of each sequence.
    public var contexts: [Int]
    /// Most seconds of one child process.
    public var secondsPerChild: Double

    /// A search at each context.
    public init(budget: ByteBudget, contexts: [Int], secondsPerChild: Double = 60) {
      self.budget = budget
      self.contexts = contexts
      self.secondsPerChild = secondsPerChild
    }
  }

  /// The fidelity table.
  public struct Fidelity: Sendable, Hashable {
    /// `embedded`, or the folder of a checkpoint.
    public var model: String
    /// Variants that the model is converted to.
    public var variants: [Variant]
    /// A text file to score, nil for the embedded evaluation set.
    public var text: String?
    /// A file of token ids to score instead of a text.
    public var tokens: String?
    /// The model that is compared with; nil: `model` itself.
    public var against: String?
    /// What the scored model is to the original; nil: a codec or a conversion without training.
    public var kind: FidelityKind?
    /// Most segments scored, nil for all.
    public var segments: Int?

    /// Variants of a model on an evaluation text.
    public init(
      model: String = "embedded", variants: [Variant], text: String? = nil,
      tokens: String? = nil, against: String? = nil, kind: FidelityKind? = nil,
      segments: Int? = nil
    ) {
      self.model = model
      self.variants = variants
      self.text = text
      self.tokens = tokens
      self.against = against
      self.kind = kind
      self.segments = segments
    }
  }

  /// Name of the suite in rows.
  public var name: String
  /// The model's shape.
  public var geometry: ModelGeometry
  /// What the shape was read from, where that is not its name: a checkpoint's folder. Commands that
  /// repeat a case print it.
  public var geometrySource: String?
  /// The model whose weights the step scope runs, converted to each variant: `embedded`, or the
  /// folder of a checkpoint; nil: random weights.
  public var model: String?
  /// Variants that are compared.
  public var variants: [Variant]
  /// How weights are stored.
  public var weights: WeightFormat
  /// How caches address their rows.
  public var storage: CacheStorage
  /// Threads that compute; nil: all that the process may use.
  public var threads: Int?
  /// Seed of all random values.
  public var seed: UInt64
  /// Share of the available memory that a case may take.
  public var memoryFraction: Double
  /// When a case has been measured enough.
  public var limits: Limits
  /// Grid points that are measured longer.
  public var tail: Tail?
  /// Append and attend over all layers' own caches, without linear layers.
  public var attention: Grid?
  /// The whole decoder.
  public var step: Grid?
  /// Prompt tokens of the time to first token, measured once a variant; nil: not measured.
  public var prefillTokens: Int?
  /// The largest batch before memory runs out.
  public var maxBatch: MaxBatch?
  /// What conversion costs in quality.
  public var fidelity: Fidelity?

  /// A suite; scopes that are nil are not run.
  public init(
    name: String, geometry: ModelGeometry, geometrySource: String? = nil, model: String? = nil,
    variants: [Variant],
    weights: WeightFormat = .bfloat16, storage: CacheStorage = .ring, threads: Int? = nil,
    seed: UInt64 = 1, memoryFraction: Double = 0.8, limits: Limits = Limits(), tail: Tail? = nil,
    attention: Grid? = nil, step: Grid? = nil, prefillTokens: Int? = nil,
    maxBatch: MaxBatch? = nil, fidelity: Fidelity? = nil
  ) {
    self.name = name
    self.geometry = geometry
    self.geometrySource = geometrySource
    self.model = model
    self.variants = variants
    self.weights = weights
    self.storage = storage
    self.threads = threads
    self.seed = seed
    self.memoryFraction = memoryFraction
    self.limits = limits
    self.tail = tail
    self.attention = attention
    self.step = step
    self.prefillTokens = prefillTokens
    self.maxBatch = maxBatch
    self.fidelity = fidelity
  }

  /// When the cases at a grid point have been measured enough.
  public func limits(context: Int, batch: Int) -> Limits {
    guard let tail, tail.grid.contexts.contains(context), tail.grid.batches.contains(batch) else {
      return limits
    }
    return Limits(
      steps: max(limits.steps, tail.steps), seconds: max(limits.seconds, tail.seconds),
      warmUp: limits.warmUp, secondsBetweenProbes: limits.secondsBetweenProbes)
  }

  /// Refuses what a run could not start with: no variant, a variant that the geometry does not
  /// take, sizes out of range.
  /// - Throws: `HarnessError` (`usage`), one line.
  public func validate() throws(HarnessError) {
    for variant in variants {
      do {
        _ = try variant.layouts(for: geometry)
      } catch {
        throw HarnessError(.usage, "\(geometry.name): \(error)")
      }
    }
    let needsVariants = attention != nil || step != nil || maxBatch != nil
    try require(!needsVariants || !variants.isEmpty, "variants", "at least one")
    try require(
      needsVariants || fidelity != nil, "scopes",
      "one of attention, step, max_batch and fidelity")
    for grid in [attention, step].compactMap({ $0 }) {
      try require(!grid.contexts.isEmpty, "contexts", "at least one")
      try require(!grid.batches.isEmpty, "batches", "at least one")
      try require(
        grid.batches.allSatisfy { (1...1 << 20).contains($0) }, "batches", "1 to 1,048,576")
    }
    let contexts = (attention?.contexts ?? []) + (step?.contexts ?? []) + (maxBatch?.contexts ?? [])
    try require(contexts.allSatisfy { (1...1 << 31).contains($0) }, "contexts", "1 to 2 Gi tokens")
    for grid in [attention, step].compactMap({ $0 }) {
      try requireCountable(contexts: grid.contexts, batches: grid.batches)
    }
    try requireCountable(contexts: maxBatch?.contexts ?? [], batches: [1])
    try require((1...1 << 20).contains(prefillTokens ?? 1), "prefill_tokens", "1 to 1,048,576")
    try require((1...1_000_000).contains(limits.steps), "steps", "1 to 1,000,000")
    try require(limits.seconds > 0 && limits.seconds <= 86_400, "seconds", "over 0 to 86,400")
    if let tail {
      try require((1...1_000_000).contains(tail.steps), "tail steps", "1 to 1,000,000")
      try require(
        tail.seconds > 0 && tail.seconds <= 86_400, "tail seconds", "over 0 to 86,400")
    }
    try require((2...1_000).contains(limits.warmUp), "warm_up", "2 to 1,000")
    try require((1...4_096).contains(threads ?? 1), "threads", "1 to 4,096, or all")
    try require(memoryFraction > 0 && memoryFraction <= 1, "memory_fraction", "over 0 to 1")
    if let maxBatch {
      try require(!maxBatch.contexts.isEmpty, "max_batch contexts", "at least one")
      try require(
        maxBatch.contexts.allSatisfy { $0 > 64 + 3 }, "max_batch contexts",
        "over 67, for a prefill of 64 tokens and three steps")
      try require(
        maxBatch.secondsPerChild > 0 && maxBatch.secondsPerChild <= 86_400, "seconds_per_child",
        "over 0 to 86,400")
    }
    if let fidelity {
      try require(!fidelity.variants.isEmpty, "fidelity variants", "at least one")
      try require(fidelity.segments ?? 1 > 0, "fidelity segments", "at least 1")
      try require(
        fidelity.text == nil || fidelity.tokens == nil, "fidelity text, tokens", "one of them")
    }
  }

  /// Refuses contexts and batches whose products, in bytes or FLOPs, no `Int` could hold.
  private func requireCountable(contexts: [Int], batches: [Int]) throws(HarnessError) {
    guard let context = contexts.max(), let batch = batches.max() else { return }
    for variant in variants {
      let layouts = try layouts(variant)
      if BenchCase.mostCounted(
        layouts, context: context, batch: batch, vocabulary: geometry.vocabulary) == nil
      {
        throw HarnessError(
          .usage,
          "suite \(name): contexts, batches: \(context) tokens × \(batch) sequences of "
            + "\(variant.notation) on \(geometry.name) are more bytes than can be counted; "
            + "expected a smaller context or batch")
      }
    }
  }

  private func require(
    _ holds: Bool, _ name: String, _ expected: String
  ) throws(HarnessError) {
    if !holds { throw HarnessError(.usage, "suite \(self.name): \(name): expected \(expected)") }
  }
}
