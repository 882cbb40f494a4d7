/// `mla:R+P`: one latent of rank R and one RoPE key of width P a token, shared by all heads
/// (DeepSeek-V2, arXiv 2405.04434). `mla:R+PxK`: K RoPE slices, one a group of N ÷ K query heads
/// (MHA2MLA, arXiv 2502.14837).
public struct MultiHeadLatent: HeadAxisValue {
  public static let keyword = "mla"
  public static let form = "mla:R+P or mla:R+PxK"
  public static let summary =
    "latent: one row [latent R | RoPE key P] for all heads; xK: K RoPE slices, one a KV head"
  public static let samples = ["mla:16+8", "mla:24+8x2", "mla:24+4x4"]

  /// Width of the latent.
  public let rank: Int
  /// Width of one RoPE slice.
  public let ropeWidth: Int
  /// RoPE slices; 1 adds its width to the head, more take it from the head.
  public let ropeSlices: Int

  public init(parameters: String?) throws(NotationError) {
    let text = parameters ?? ""
    let parts = text.split(separator: "+", omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw NotationError(
        notation: "mla:\(text.prefix(40))", reason: "expected \(Self.form), for example mla:512+64")
    }
    let slices = parts[1].split(separator: "x", omittingEmptySubsequences: false)
    guard slices.count <= 2 else {
      throw NotationError(notation: "mla:\(text.prefix(40))", reason: "expected \(Self.form)")
    }
    let widest = AxisParameters.widest
    rank = try AxisParameters.positive(parts[0], "R", form: Self.form, limit: widest)
    ropeWidth = try AxisParameters.positive(slices[0], "P", form: Self.form, limit: widest)
    ropeSlices =
      slices.count == 2 ? try AxisParameters.positive(slices[1], "K", form: Self.form) : 1
    guard ropeWidth.isMultiple(of: 2) else {
      throw NotationError(
        notation: notation, reason: "RoPE rotates pairs; expected an even P, not \(ropeWidth)")
    }
  }

  public var notation: String {
    ropeSlices == 1 ? "mla:\(rank)+\(ropeWidth)" : "mla:\(rank)+\(ropeWidth)x\(ropeSlices)"
  }

  public func arrangement(for geometry: ModelGeometry) throws(NotationError) -> HeadArrangement {
    let head = geometry.headWidth
    if ropeSlices == 1 {
      let own = geometry.latentHeads
      if let own, own.rope != ropeWidth {
        throw NotationError(
          notation: notation,
          reason: "the heads of \(geometry.name) have a RoPE part of \(own.rope), not \(ropeWidth)")
      }
      return .latent(
        LatentShape(
          rank: rank, ropeWidth: ropeWidth, ropeSlices: 1, nopeWidth: own?.nope ?? head,
          valueWidth: own?.value ?? head))
    }
    guard geometry.queryHeads.isMultiple(of: ropeSlices) else {
      throw NotationError(
        notation: notation,
        reason:
          "\(geometry.queryHeads) query heads of \(geometry.name) cannot be split among \(ropeSlices) RoPE slices; expected a divisor of \(geometry.queryHeads)"
      )
    }
    guard ropeWidth <= head else {
      throw NotationError(
        notation: notation,
        reason:
          "a slice is taken from the head; expected P of at most the head width \(head) of \(geometry.name)"
      )
    }
    return .latent(
      LatentShape(
        rank: rank, ropeWidth: ropeWidth, ropeSlices: ropeSlices, nopeWidth: head - ropeWidth,
        valueWidth: head))
  }
}
