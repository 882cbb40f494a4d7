import AttentionCore

/// The ranges within which the arithmetic of layouts cannot overflow.
enum SizeLimit {
  static let layers = ModelGeometry.mostLayers
  static let heads = 1 << 20
  static let width = 1 << 31
  static let tokens = 1 << 40
  /// Bytes of memory, 64 PiB.
  static let budget = 1 << 56

  static func check(
    _ value: Int, _ name: String, in range: ClosedRange<Int>
  ) throws(PlannerError) {
    guard range.contains(value) else {
      throw .invalid(
        name: name, value: String(value), expected: "\(range.lowerBound) to \(range.upperBound)")
    }
  }
}

extension ModelGeometry {
  /// Refuses sizes that are not positive or past any model.
  func checkSizes() throws(PlannerError) {
    try SizeLimit.check(layers, "layers of \(name)", in: 1...SizeLimit.layers)
    try SizeLimit.check(queryHeads, "query heads of \(name)", in: 1...SizeLimit.heads)
    try SizeLimit.check(keyValueHeads, "key/value heads of \(name)", in: 1...queryHeads)
    for (value, what) in [
      (hidden, "hidden width"), (headWidth, "head width"), (mlpWidth, "MLP width"),
      (vocabulary, "vocabulary"),
    ] {
      try SizeLimit.check(value, "\(what) of \(name)", in: 1...SizeLimit.width)
    }
    if let latentHeads {
      for value in [latentHeads.nope, latentHeads.rope, latentHeads.value] {
        try SizeLimit.check(value, "latent head width of \(name)", in: 1...SizeLimit.width)
      }
    }
  }

  /// The layouts of a variant.
  func checkedLayouts(_ variant: Variant) throws(PlannerError) -> [KVLayout] {
    try checkSizes()
    do {
      return try variant.layouts(for: self)
    } catch {
      throw .notation(error)
    }
  }
}

extension KVLayout {
  /// Refuses shapes whose bytes a token could overflow.
  func checkSizes() throws(PlannerError) {
    let name = "of layer \(layer)"
    try SizeLimit.check(shape.streams, "streams \(name)", in: 1...SizeLimit.heads)
    try SizeLimit.check(
      shape.queryHeadsPerStream, "query heads a stream \(name)",
      in: 1...(SizeLimit.heads / shape.streams))
    try SizeLimit.check(shape.keyWidth, "key width \(name)", in: 1...SizeLimit.width)
    try SizeLimit.check(shape.valueWidth, "value width \(name)", in: 1...SizeLimit.width)
    try SizeLimit.check(reach.sinks, "sinks \(name)", in: 0...SizeLimit.tokens)
    if let window = reach.window {
      try SizeLimit.check(window, "window \(name)", in: 1...SizeLimit.tokens)
    }
  }
}
