extension ResultRow {
  /// The model's shape.
  public struct Geometry: Codable, Sendable, Hashable {
    /// Name of the preset or checkpoint.
    public var name: String
    /// Decoder layers.
    public var layers: Int
    /// Width of the residual stream, in elements.
    public var hidden: Int
    /// Query heads of a layer.
    public var queryHeads: Int
    /// Key/value heads of a layer in the model's own form.
    public var kvHeads: Int
    /// Elements of a head; not hidden ÷ query heads in many models.
    public var headWidth: Int
    /// Elements of the MLP's inner layer.
    public var mlp: Int
    /// Entries of the vocabulary.
    public var vocabulary: Int
    /// The model's own variant where its heads do not tell (MLA, windows, sharing).
    public var declaredVariant: String?

    /// A shape; `declaredVariant` only where key/value heads do not tell the model's own variant.
    public init(
      name: String, layers: Int, hidden: Int, queryHeads: Int, kvHeads: Int, headWidth: Int,
      mlp: Int, vocabulary: Int, declaredVariant: String? = nil
    ) {
      self.name = name
      self.layers = layers
      self.hidden = hidden
      self.queryHeads = queryHeads
      self.kvHeads = kvHeads
      self.headWidth = headWidth
      self.mlp = mlp
      self.vocabulary = vocabulary
      self.declaredVariant = declaredVariant
    }

    /// The variant the model was published with: the declared one, else by its heads.
    public var ownVariant: String {
      if let declaredVariant { return declaredVariant }
      if kvHeads == queryHeads { return "mha" }
      return kvHeads == 1 ? "mqa" : "gqa:\(kvHeads)"
    }

    enum CodingKeys: String, CodingKey {
      case name, layers, hidden, mlp, vocabulary
      case queryHeads = "query_heads"
      case kvHeads = "kv_heads"
      case headWidth = "head_width"
      case declaredVariant = "own_variant"
    }
  }

  /// The model's weights.
  public struct Weights: Codable, Sendable, Hashable {
    /// Element type in memory, such as `bf16`.
    public var dtype: String
    /// `random`, or the checkpoint's name.
    public var source: String
    /// Hash of the weights, where they come from a file.
    public var hash: String?

    /// Weights of an element type from a source.
    public init(dtype: String, source: String, hash: String? = nil) {
      self.dtype = dtype
      self.source = source
      self.hash = hash
    }
  }

  /// How the cache addresses its rows.
  public struct Cache: Codable, Sendable, Hashable {
    /// Contiguous, ring or paged.
    public var kind: RowCacheKind
    /// Tokens of a page.
    public var pageSize: Int?

    /// A way of addressing; `pageSize` in tokens, for paged caches.
    public init(kind: RowCacheKind, pageSize: Int? = nil) {
      self.kind = kind
      self.pageSize = pageSize
    }

    enum CodingKeys: String, CodingKey {
      case kind
      case pageSize = "page_size"
    }
  }

  /// The three kinds of cache bytes, never mixed.
  public struct KV: Codable, Sendable, Hashable {
    /// `idealBytes` ÷ cached tokens at this context.
    public var idealBytesPerToken: Double?
    /// What the layout needs for these tokens, all sequences.
    public var idealBytes: Int?
    /// What the cache really holds: pages, rings, padding; all sequences.
    public var allocatedBytes: Int?
    /// Tables and lengths only.
    public var metadataBytes: Int?
    /// What one decode step of all sequences must move.
    public var readBytesPerStep: Int?

    /// Cache bytes of all sequences; what was not measured stays absent.
    public init(
      idealBytesPerToken: Double? = nil, idealBytes: Int? = nil, allocatedBytes: Int? = nil,
      metadataBytes: Int? = nil, readBytesPerStep: Int? = nil
    ) {
      self.idealBytesPerToken = idealBytesPerToken
      self.idealBytes = idealBytes
      self.allocatedBytes = allocatedBytes
      self.metadataBytes = metadataBytes
      self.readBytesPerStep = readBytesPerStep
    }

    enum CodingKeys: String, CodingKey {
      case idealBytesPerToken = "ideal_bytes_per_token"
      case idealBytes = "ideal_bytes"
      case allocatedBytes = "allocated_bytes"
      case metadataBytes = "metadata_bytes"
      case readBytesPerStep = "read_bytes_per_step"
    }
  }

  /// Bytes beside the cache.
  public struct Memory: Codable, Sendable, Hashable {
    /// Bytes of the weights.
    public var weightBytes: Int?
    /// Bytes of the scratch space of a step.
    public var workspaceBytes: Int?
    /// Peak resident set of the process.
    public var peakRSSBytes: Int?

    /// Bytes beside the cache; what was not measured stays absent.
    public init(weightBytes: Int? = nil, workspaceBytes: Int? = nil, peakRSSBytes: Int? = nil) {
      self.weightBytes = weightBytes
      self.workspaceBytes = workspaceBytes
      self.peakRSSBytes = peakRSSBytes
    }

    enum CodingKeys: String, CodingKey {
      case weightBytes = "weight_bytes"
      case workspaceBytes = "workspace_bytes"
      case peakRSSBytes = "peak_rss_bytes"
    }
  }
}
