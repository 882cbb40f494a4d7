extension AxisRegistry {
  /// Reads `heads[/sharing][/reach][/sink:N][@codec]` or a list `[spec*n,spec,…]`.
  /// - Throws: `NotationError` that names the part and what was expected.
  public func variant(_ text: String) throws(NotationError) -> Variant {
    guard text.utf8.count <= 4_096 else {
      throw NotationError(
        notation: text, reason: "notation is at most 4,096 characters")
    }
    if text.hasPrefix("[") { return try list(text) }
    return Variant(try spec(text, inList: false))
  }

  private func list(_ text: String) throws(NotationError) -> Variant {
    guard text.hasSuffix("]"), text.count > 2 else {
      throw NotationError(notation: text, reason: "a list is written [spec*n,spec*n,…]")
    }
    guard !text.dropFirst().contains("[") else {
      throw NotationError(notation: text, reason: "a list holds no lists")
    }
    var runs: [Variant.Run] = []
    for item in text.dropFirst().dropLast().split(separator: ",", omittingEmptySubsequences: false)
    {
      let parts = item.split(separator: "*", omittingEmptySubsequences: false)
      guard parts.count <= 2, let first = parts.first else {
        throw NotationError(notation: String(item), reason: "a list item is written spec or spec*n")
      }
      let layers =
        parts.count == 2
        ? try Self.naming(item) { () throws(NotationError) in
          try AxisParameters.positive(
            parts[1], "a number of layers n", form: "spec*n", limit: ModelGeometry.mostLayers)
        } : 1
      runs.append(Variant.Run(spec: try spec(String(first), inList: true), layers: layers))
    }
    return Variant(list: runs)
  }

  private func spec(_ text: String, inList: Bool) throws(NotationError) -> VariantSpec {
    let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = (halves.first ?? "").split(separator: "/", omittingEmptySubsequences: false)
    var spec = VariantSpec(heads: try headValue(parts.first ?? "", of: text))
    for part in parts.dropFirst() {
      try apply(part, to: &spec, text: text)
    }
    if let sinks = spec.sinks, !(spec.reach?.takesSinks ?? false) {
      throw NotationError(
        notation: text,
        reason: "\(sinks.notation) needs a window beside it; a global layer keeps its first tokens")
    }
    if inList, let reach = spec.reach, reach is HybridWindow {
      throw NotationError(
        notation: text,
        reason: "a list names each layer's reach; write swa:W or nothing, not \(reach.notation)")
    }
    if halves.count == 2 { spec.codec = try codecPair(String(halves[1]), of: text) }
    return spec
  }

  private func headValue(
    _ part: Substring, of text: String
  ) throws(NotationError) -> any HeadAxisValue {
    let (keyword, parameters) = Self.split(part)
    guard let type = heads.first(where: { $0.keyword == keyword }) else {
      throw NotationError(
        notation: text.isEmpty ? "(empty)" : text,
        reason: "must start with one of \(heads.map { $0.form }.joined(separator: ", "))")
    }
    return try Self.naming(part) { () throws(NotationError) in
      try type.init(parameters: parameters)
    }
  }

  /// Errors of a value name the part of the notation that they are about.
  private static func naming<Value>(
    _ part: Substring, _ read: () throws(NotationError) -> Value
  ) throws(NotationError) -> Value {
    do {
      return try read()
    } catch {
      throw NotationError(notation: String(part), reason: error.reason)
    }
  }

  private func apply(
    _ part: Substring, to spec: inout VariantSpec, text: String
  ) throws(NotationError) {
    let (keyword, parameters) = Self.split(part)
    func once(_ taken: String?) throws(NotationError) {
      if let taken {
        throw NotationError(notation: text, reason: "\(part) and \(taken) are values of one axis")
      }
    }
    if let type = sharings.first(where: { $0.keyword == keyword }) {
      try once(spec.sharing?.notation)
      spec.sharing = try Self.naming(part) { () throws(NotationError) in
        try type.init(parameters: parameters)
      }
    } else if let type = reaches.first(where: { $0.keyword == keyword }) {
      try once(spec.reach?.notation)
      spec.reach = try Self.naming(part) { () throws(NotationError) in
        try type.init(parameters: parameters)
      }
    } else if keyword == AttentionSinks.keyword {
      try once(spec.sinks?.notation)
      spec.sinks = try Self.naming(part) { () throws(NotationError) in
        try AttentionSinks(parameters: parameters)
      }
    } else {
      let forms =
        sharings.map { $0.form } + reaches.map { $0.form } + [AttentionSinks.form]
      throw NotationError(
        notation: text,
        reason: "\"\(part.prefix(40))\" is none of \(forms.joined(separator: ", "))")
    }
  }

  /// Reads `first`, or `first:second` where both are codecs; a colon may also belong to a codec's
  /// own parameters, so that every cut is tried.
  func codecPair(_ text: String, of notation: String) throws(NotationError) -> CodecPair {
    // What a codec says of its own parameters helps more than that nothing fits.
    var complaint: NotationError?
    func codec(_ text: Substring) -> (any KVCodec)? {
      let (keyword, parameters) = Self.split(text)
      guard let entry = codecs.first(where: { $0.keyword == keyword }) else { return nil }
      do throws(NotationError) {
        return try entry.make(parameters)
      } catch {
        if complaint == nil, entry.form != entry.keyword {
          complaint = NotationError(notation: String(text), reason: error.reason)
        }
        return nil
      }
    }
    if let whole = codec(text[...]) { return CodecPair(whole) }
    var cut = text.startIndex
    while let colon = text[cut...].firstIndex(of: ":") {
      let rest = text[text.index(after: colon)...]
      if let first = codec(text[..<colon]) {
        if let second = codec(rest) { return CodecPair(first, second) }
        if complaint?.notation == text {
          // The first part stands by itself, so that the second is at fault.
          complaint = nil
          _ = codec(rest)
        }
      }
      cut = text.index(after: colon)
    }
    if let complaint { throw complaint }
    throw NotationError(
      notation: notation,
      reason:
        "\"\(text.prefix(40))\" is no codec or pair of codecs; expected \(codecs.map(\.form).joined(separator: ", "))"
    )
  }

  private static func split(_ part: Substring) -> (keyword: String, parameters: String?) {
    guard let colon = part.firstIndex(of: ":") else { return (String(part), nil) }
    return (String(part[..<colon]), String(part[part.index(after: colon)...]))
  }
}
