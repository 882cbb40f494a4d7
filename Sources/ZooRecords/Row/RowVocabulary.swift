/// A closed set of words in a result row; reading another word is an error that lists the known ones.
public protocol RowWord: RawRepresentable, CaseIterable, Codable, Sendable, Hashable
where RawValue == String {}

extension RowWord {
  /// Reads one of the known words.
  ///
  /// - Throws: `DecodingError` that names the word found and the ones expected.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let word = try container.decode(String.self)
    guard let value = Self(rawValue: word) else {
      let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "expected one of \(known), found \"\(word)\"")
    }
    self = value
  }

  /// Writes the word as a plain string.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }
}

/// How a case ended.
public enum RowStatus: String, RowWord {
  /// It ran and its numbers stand.
  case ok
  /// The variant has no meaning or no kernel for this geometry.
  case unsupported
  /// The computed bytes pass the memory it may use; it was not started.
  case doesNotFit = "does_not_fit"
  /// It started and ended with an error.
  case failed
  /// It was stopped from outside before its end.
  case interrupted
}

/// Where the numbers of a row come from.
public enum RowOrigin: String, RowWord {
  /// Measured on the machine of the row.
  case measured
  /// Computed by a formula.
  case predicted
}

/// What a case covers.
public enum RowScope: String, RowWord {
  /// Append and attend over all layers' own caches, no linear layers.
  case attention
  /// The whole decoder.
  case step
  /// The largest batch within a byte budget.
  case maxBatch = "max_batch"
  /// What a variant costs in quality.
  case fidelity
}

/// Which roof of the roofline limits a kernel.
public enum RowBound: String, RowWord {
  /// Moving bytes takes longer than the arithmetic.
  case bandwidth
  /// The arithmetic takes longer than moving bytes.
  case compute
}

/// What the cached rows were made from.
public enum RowFilling: String, RowWord {
  /// A real prefill of the model.
  case prefill
  /// Synthetic rows through the same append path.
  case synthetic
}

/// How a cache addresses its rows.
public enum RowCacheKind: String, RowWord {
  /// One region a sequence, as long as the context.
  case contiguous
  /// One region a sequence, as long as the window, overwritten in turn.
  case ring
  /// Pages of a fixed number of tokens and a table for each sequence.
  case paged
}

/// What a quality number was measured on; fronts and rankings never mix kinds.
public enum FidelityKind: String, RowWord {
  /// A model trained as this variant from the start.
  case trained
  /// A converted model, trained further after the conversion.
  case healed
  /// A converted model without any training afterwards.
  case trainingFree = "training_free"
  /// The same variant, with the cache stored in another codec.
  case codec
}
