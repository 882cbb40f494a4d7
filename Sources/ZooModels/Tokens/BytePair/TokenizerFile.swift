/// The parts of a `tokenizer.json`, read in full: what is not understood is refused, since it would
/// change ids silently. `truncation` and `padding` are settings of a batch, not of the text, and are
/// not applied.
struct TokenizerFile {
  /// The longest file accepted, bytes; the largest published ones take about 30 MB.
  static let longest = 256 << 20

  let root: ConfigReader

  init(_ bytes: UnsafeRawBufferPointer, file: String) throws(CheckpointError) {
    guard bytes.count <= Self.longest else {
      throw CheckpointError(
        kind: .malformed, file: file, place: "", found: "\(bytes.count) bytes",
        expected: "at most \(Self.longest)")
    }
    let value = try JSONParser.parse(bytes, file: file, place: "")
    guard case .object(let members) = value else {
      throw CheckpointError(
        kind: .malformed, file: file, place: "", found: value.summary, expected: "an object")
    }
    root = ConfigReader(file: file, members: members)
    try root.allow([
      "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
      "post_processor", "decoder", "model",
    ])
    if let version = try root.optionalString("version"), version != "1.0" {
      throw root.malformed(
        "version", found: CheckpointError.quoted(version), expected: "\"1.0\"", kind: .unsupported)
    }
  }

  /// Whether text is composed canonically first.
  func composes() throws(CheckpointError) -> Bool {
    var result = false
    for part in try root.parts("normalizer", list: "normalizers") {
      try part.require(type: ["NFC"], else: "NFC, a Sequence of it, or null")
      try part.allow(["type"])
      result = true
    }
    return result
  }

  func preTokenizer() throws(CheckpointError) -> PreTokenizer {
    var steps: [PreTokenizer.Step] = []
    var isByteLevel = false
    for part in try root.parts("pre_tokenizer", list: "pretokenizers") {
      let type = try part.require(
        type: ["ByteLevel", "Split", "Digits"],
        else: "ByteLevel, Split, Digits or a Sequence of them")
      if isByteLevel {
        throw part.malformed(
          "type", found: "\(type) after ByteLevel", expected: "ByteLevel as the last part",
          kind: .unsupported)
      }
      switch type {
      case "ByteLevel":
        try part.allow(["type", "add_prefix_space", "trim_offsets", "use_regex"])
        isByteLevel = true
        if try part.flag("add_prefix_space", default: true) { steps.append(.prefixSpace) }
        if try part.flag("use_regex", default: true) {
          steps.append(
            .split(try part.pattern(PreTokenizer.byteLevelPattern, key: "use_regex"), keeping: .all)
          )
        }
      case "Digits":
        try part.allow(["type", "individual_digits"])
        let isSingle = try part.flag("individual_digits", default: false)
        let pattern = try part.pattern(isSingle ? #"\p{N}"# : #"\p{N}+"#, key: "individual_digits")
        steps.append(.split(pattern, keeping: .all))
      default: steps.append(try split(part))
      }
    }
    guard isByteLevel else {
      throw root.malformed(
        "pre_tokenizer", found: "no ByteLevel",
        expected: "byte-level BPE: ByteLevel, alone or as the last of a Sequence",
        kind: .unsupported)
    }
    return PreTokenizer(steps: steps)
  }

  private func split(_ part: ConfigReader) throws(CheckpointError) -> PreTokenizer.Step {
    try part.allow(["type", "pattern", "behavior", "invert"])
    guard let pattern = try part.optionalObject("pattern") else {
      throw part.malformed("pattern", found: "nothing", expected: "an object with Regex or String")
    }
    try pattern.allow(["Regex", "String"])
    let compiled: ScalarPattern
    if let regex = try pattern.optionalString("Regex") {
      compiled = try pattern.pattern(regex, key: "Regex")
    } else if let text = try pattern.optionalString("String") {
      compiled = try pattern.pattern(text, key: "String", isLiteral: true)
    } else {
      throw part.malformed(
        "pattern", found: "neither", expected: "an object with Regex or String")
    }
    let inverts = try part.flag("invert", default: false)
    switch try part.optionalString("behavior") {
    case "Isolated": return .split(compiled, keeping: .all)
    case "Removed": return .split(compiled, keeping: inverts ? .matches : .gaps)
    case let other:
      throw part.malformed(
        "behavior", found: other.map(CheckpointError.quoted) ?? "nothing",
        expected: "one of Isolated, Removed", kind: .unsupported)
    }
  }

  /// Refuses a decoder that is not the inverse of byte-level encoding.
  func checkDecoder() throws(CheckpointError) {
    for part in try root.parts("decoder", list: "decoders") {
      try part.require(type: ["ByteLevel"], else: "ByteLevel or null")
      try part.allow(["type", "add_prefix_space", "trim_offsets", "use_regex"])
    }
  }

  func addedTokens() throws(CheckpointError) -> [AddedToken] {
    var result: [AddedToken] = []
    var seen = Set<[UInt8]>()
    for entry in try root.objects("added_tokens") {
      try entry.allow([
        "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special",
      ])
      guard let content = try entry.optionalString("content"), !content.isEmpty else {
        throw entry.malformed("content", found: "nothing", expected: "a text")
      }
      guard seen.insert(Array(content.utf8)).inserted else {
        throw entry.malformed(
          "content", found: "a second \(CheckpointError.quoted(content))",
          expected: "each text once")
      }
      let isSpecial = try entry.flag("special", default: false)
      result.append(
        AddedToken(
          id: try entry.tokenID("id"), content: Array(content.utf8),
          isSingleWord: try entry.flag("single_word", default: false),
          stripsLeft: try entry.flag("lstrip", default: false),
          stripsRight: try entry.flag("rstrip", default: false),
          isNormalised: try entry.flag("normalized", default: !isSpecial)))
    }
    return result
  }

  /// The ids that the template puts before and after a single text.
  func template() throws(CheckpointError) -> (before: [Int], after: [Int]) {
    var result: (before: [Int], after: [Int]) = ([], [])
    for part in try root.parts("post_processor", list: "processors") {
      let type = try part.require(
        type: ["ByteLevel", "TemplateProcessing"],
        else: "ByteLevel, TemplateProcessing, a Sequence of them, or null")
      guard type == "TemplateProcessing" else {
        try part.allow(["type", "add_prefix_space", "trim_offsets", "use_regex"])
        continue
      }
      try part.allow(["type", "single", "pair", "special_tokens"])
      let (before, after) = try single(part)
      result = (before + result.before, result.after + after)
    }
    return result
  }

  private func single(
    _ part: ConfigReader
  ) throws(CheckpointError) -> (before: [Int], after: [Int]) {
    var before: [Int] = []
    var after: [Int] = []
    var hasText = false
    let special = try part.optionalObject("special_tokens")
    for item in try part.objects("single") {
      try item.allow(["SpecialToken", "Sequence"])
      if let text = try item.optionalObject("Sequence") {
        guard !hasText, try text.optionalString("id") == "A" else {
          throw item.malformed("Sequence", found: "another text", expected: "the text A once")
        }
        hasText = true
      } else if let token = try item.optionalObject("SpecialToken") {
        guard let name = try token.optionalString("id"),
          let known = try special?.optionalObject(name)
        else {
          throw token.malformed("id", found: "no such token", expected: "one of special_tokens")
        }
        let ids = try known.tokenIDs("ids")
        if hasText { after += ids } else { before += ids }
      }
    }
    guard hasText else {
      throw part.malformed("single", found: "no text", expected: "a template with the text A")
    }
    return (before, after)
  }
}
