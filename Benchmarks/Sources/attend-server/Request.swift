/// What a driver asks for, one JSON object a line.
struct Request: Decodable {
  enum Operation: String, Decodable {
    /// Makes an attention problem from files.
    case attention
    /// Makes a decoder of random weights.
    case step
    /// Brings the decoder's sequence to `tokens` tokens.
    case fill
    /// Runs once and answers with its nanoseconds.
    case run
    /// Writes the last run's result to `path`.
    case output
    /// Measures the machine's roofs.
    case probe
    /// Measures the rate at which instructions are issued, in half a millisecond.
    case issue
  }

  var operation: Operation
  var threads: Int?
  var variant: String?
  var queryHeads: Int?
  var headWidth: Int?
  var sequences: Int?
  var tokens: Int?
  /// Copies of the problem that runs take in turn, so that no run finds its rows in a cache.
  var copies: Int?
  var folder: String?
  /// `ring`, `contiguous`, or `paged:N` with N tokens a page.
  var storage: String?
  var path: String?
  var model: String?
  var weights: String?
}

/// What is answered, one JSON object a line.
struct Reply: Encodable {
  var error: String?
  var nanoseconds: Int64?
  /// Bytes of cached rows that a run reads, and FLOPs of its scores and weighted sums.
  var bytes: Int?
  var flops: Int?
  var readGBPerSecond: Double?
  var peakGFLOPPerSecond: Double?
  var issueRate: Double?
  var isa: String?
}
