import ZooRecords

/// Everything but the variant and its cache that must be equal for rows to stand in one table.
struct Condition: Hashable, Sendable, Comparable {
  let geometry: String
  let scope: RowScope
  let origin: RowOrigin
  let context: Int
  let batch: Int
  let lengths: [Int]
  let threads: Int
  let filledBy: RowFilling?
  let weights: String

  init(_ row: ResultRow) {
    geometry = row.geometry.name
    scope = row.scope
    origin = row.origin
    context = row.context
    batch = row.batch
    lengths = row.lengths ?? []
    threads = row.threads
    filledBy = row.filledBy
    weights = row.weights.map { "\($0.dtype) \($0.source)" } ?? ""
  }

  /// `8,192 tokens × batch 4`.
  var title: String {
    let shape =
      lengths.isEmpty
      ? "\(NumberText.whole(context)) tokens × batch \(batch)"
      : "batch \(batch), ragged, up to \(NumberText.whole(context)) tokens"
    return shape + (origin == .predicted ? " (predicted)" : "")
  }

  /// What else is the same for all its rows, in a half sentence.
  var details: String {
    var parts = ["\(threads) thread\(threads == 1 ? "" : "s")"]
    if !weights.isEmpty { parts.append("weights \(weights)") }
    switch filledBy {
    case .synthetic: parts.append("cache filled with synthetic rows")
    case .prefill: parts.append("cache filled by prefill")
    case nil: break
    }
    return parts.joined(separator: ", ")
  }

  static func < (left: Self, right: Self) -> Bool {
    if left.geometry != right.geometry { return left.geometry < right.geometry }
    if left.scope != right.scope { return left.scope.place < right.scope.place }
    if left.context != right.context { return left.context < right.context }
    if left.batch != right.batch { return left.batch < right.batch }
    return left.remainder.lexicographicallyPrecedes(right.remainder)
  }

  private var remainder: [String] {
    [
      origin.rawValue, "\(threads)", filledBy?.rawValue ?? "", weights,
      lengths.map(String.init).joined(separator: ","),
    ]
  }
}

extension RowScope {
  /// The scope's place in a report.
  var place: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
