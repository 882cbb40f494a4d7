/// The result of one case: one JSON object on one line of a row file.
///
/// The JSON names are a contract with every reader of the files; a metric that a case does not
/// measure is absent, never zero. Bytes are bytes, times milliseconds, rates per second.
public struct ResultRow: Codable, Sendable, Hashable {
  /// The schema that this version writes and reads.
  public static let currentSchema = 1

  /// Number of the row format; see ``currentSchema``.
  public var schema: Int
  /// Hash of every input that changes the result; see ``CaseKey``.
  public var caseID: String
  /// How the case ended.
  public var status: RowStatus
  /// Why it is not `ok`, or remarks on a row that is; one line.
  public var reason: String?
  /// Measured or predicted.
  public var origin: RowOrigin
  /// What the case covers.
  public var scope: RowScope
  /// Name of the suite that asked for it.
  public var suite: String
  /// The variant in its shortest notation, such as `gqa:8/cla:2@f16`.
  public var variant: String
  /// Why an axis value saves nothing here, in words.
  public var noop: String?
  /// The model's shape.
  public var geometry: Geometry
  /// Cached tokens of each sequence (of the longest, where `lengths` is present).
  public var context: Int
  /// Sequences decoded together.
  public var batch: Int
  /// Cached tokens of each sequence, for ragged batches.
  public var lengths: [Int]?
  /// Threads that computed.
  public var threads: Int
  /// Seed of all random values.
  public var seed: UInt64
  /// The model's weights.
  public var weights: Weights?
  /// How the cache addresses its rows.
  public var cache: Cache?
  /// What the cached rows were made from.
  public var filledBy: RowFilling?
  /// Bytes of the cache.
  public var kv: KV?
  /// Bytes of everything else.
  public var memory: Memory?
  /// Time to first token.
  public var prefill: Prefill?
  /// The decode steps.
  public var decode: Decode?
  /// The largest batch within a budget.
  public var maxBatch: MaxBatch?
  /// Quality against a reference.
  public var fidelity: Fidelity?
  /// The machine, the software and the moment.
  public var machine: Machine
  /// The command line that repeats this case.
  public var command: String

  /// A row with the inputs of its case; the metric blocks are set as they are measured.
  public init(
    caseID: String, status: RowStatus, reason: String? = nil, origin: RowOrigin = .measured,
    scope: RowScope, suite: String, variant: String, noop: String? = nil, geometry: Geometry,
    context: Int, batch: Int, lengths: [Int]? = nil, threads: Int, seed: UInt64,
    weights: Weights? = nil, cache: Cache? = nil, filledBy: RowFilling? = nil, kv: KV? = nil,
    memory: Memory? = nil, prefill: Prefill? = nil, decode: Decode? = nil,
    maxBatch: MaxBatch? = nil, fidelity: Fidelity? = nil, machine: Machine, command: String
  ) {
    self.schema = Self.currentSchema
    self.caseID = caseID
    self.status = status
    self.reason = reason
    self.origin = origin
    self.scope = scope
    self.suite = suite
    self.variant = variant
    self.noop = noop
    self.geometry = geometry
    self.context = context
    self.batch = batch
    self.lengths = lengths
    self.threads = threads
    self.seed = seed
    self.weights = weights
    self.cache = cache
    self.filledBy = filledBy
    self.kv = kv
    self.memory = memory
    self.prefill = prefill
    self.decode = decode
    self.maxBatch = maxBatch
    self.fidelity = fidelity
    self.machine = machine
    self.command = command
  }

  enum CodingKeys: String, CodingKey {
    case schema, status, reason, origin, scope, suite, variant, noop, geometry, context, batch
    case lengths, threads, seed, weights, cache, kv, memory, prefill, decode, fidelity, machine
    case command
    case caseID = "case"
    case filledBy = "filled_by"
    case maxBatch = "max_batch"
  }

  /// Cached tokens of all sequences: the sum of `lengths`, else batch × context.
  public var cachedTokens: Int { lengths?.reduce(0, +) ?? batch * context }
}
