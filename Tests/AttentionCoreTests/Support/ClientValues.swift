import AttentionCore
import CAttentionKernels

/// An axis value of a client: `alternate:W`, a window in every other layer.
struct AlternatingWindow: ReachAxisValue {
  static let keyword = "alternate"
  static let form = "alternate:W"
  static let summary = "a window of W tokens in every other layer"
  static let samples = ["alternate:5"]
  let width: Int

  init(parameters: String?) throws(NotationError) {
    width = try AxisParameters.positive(parameters ?? "", "W", form: Self.form)
  }

  var notation: String { "alternate:\(width)" }
  var takesSinks: Bool { true }
  func window(ofLayer index: Int, count: Int) -> Int? { index.isMultiple(of: 2) ? width : nil }
}

/// A head value of a client: `half`, a KV head for every second query head.
struct HalfHeads: HeadAxisValue {
  static let keyword = "half"
  static let form = "half"
  static let summary = "a key/value head for every second query head"
  static let samples = ["half"]

  init(parameters: String?) throws(NotationError) {
    try AxisParameters.none(parameters, form: Self.form)
  }

  var notation: String { "half" }

  func arrangement(for geometry: ModelGeometry) throws(NotationError) -> HeadArrangement {
    .grouped(keyValueHeads: geometry.queryHeads / 2)
  }
}

/// A sharing value of a client: `all`, one cache for all layers.
struct OneCache: SharingAxisValue {
  static let keyword = "all"
  static let form = "all"
  static let summary = "one cache for all layers of one reach"
  static let samples = ["all"]

  init(parameters: String?) throws(NotationError) {
    try AxisParameters.none(parameters, form: Self.form)
  }

  var notation: String { "all" }
  func owner(of index: Int, count: Int) -> Int { 0 }
  func noop(count: Int) -> String? { nil }
}

/// A codec of a client with a parameter and a decode function: `fixed:B`, 16-bit fixed point with B
/// fractional bits.
struct FixedPointCodec: KVCodec {
  let bits: Int

  /// The steps that decode functions are pointed at; they live as long as the process.
  private nonisolated(unsafe) static let steps: UnsafePointer<Float> = {
    let steps = UnsafeMutablePointer<Float>.allocate(capacity: 16)
    for bits in 0..<16 { steps[bits] = 1 / Float(1 << bits) }
    return UnsafePointer(steps)
  }()

  static let entry = CodecEntry(
    keyword: "fixed", form: "fixed:B", summary: "fixed point with B fractional bits",
    samples: ["fixed:4", "fixed:10"]
  ) { parameters throws(NotationError) in
    FixedPointCodec(
      bits: try AxisParameters.positive(parameters ?? "", "B", form: "fixed:B", limit: 15))
  }

  var notation: String { "fixed:\(bits)" }
  var summary: String { "fixed point" }
  var relativeError: Double { 1 / Double(1 << bits) }
  func rowBytes(width: Int) -> Int { 2 * width }

  func encode(_ row: UnsafePointer<Float>, width: Int, to bytes: UnsafeMutableRawPointer) {
    for index in 0..<width {
      let scaled = (row[index] / Self.steps[bits]).rounded()
      bytes.storeBytes(of: Int16(scaled), toByteOffset: 2 * index, as: Int16.self)
    }
  }

  var kernel: CodecKernel {
    .custom(
      { context, rows, rowBytes, _, count, width, out in
        guard let context, let rows, let out else { return }
        let step = context.loadUnaligned(as: Float.self)
        for row in 0..<Int(count) {
          for index in 0..<Int(width) {
            let stored = (rows + row * Int(rowBytes)).loadUnaligned(
              fromByteOffset: 2 * index, as: Int16.self)
            out[row * Int(width) + index] = Float(stored) * step
          }
        }
      }, context: UnsafeRawPointer(Self.steps + bits))
  }
}

extension AxisRegistry {
  /// The standard registry with a client's value on every axis.
  static let extended = AxisRegistry.standard
    .adding(HalfHeads.self).adding(OneCache.self).adding(AlternatingWindow.self)
    .adding(FixedPointCodec.entry)
}
