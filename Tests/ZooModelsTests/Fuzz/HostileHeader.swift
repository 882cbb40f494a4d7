/// A safetensors header whose types, shapes and offsets are made up, some of them lies: overlapping,
/// out of range, overflowing.
struct HostileHeader {
  private static let types = [
    "F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E8M0", "I64", "I32", "I16", "I8", "U64",
    "U32", "U16", "U8", "BOOL", "F33", "f32", "",
  ]
  private static let widths = [
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "U64": 8, "U32": 4,
    "U16": 2,
  ]
  private static let extents = [
    0, 1, 2, 3, 5, 1 << 16, 1 << 31, 1 << 32, 1 << 61, 1 << 62, Int.max, -1,
  ]

  let text: [UInt8]
  let dataLength: Int

  init(_ mutator: inout Mutator) {
    var members: [String] = []
    var end = 0
    for index in 0..<mutator.number(0..<6) {
      let type = mutator.pick(Self.types)
      let rank = mutator.number(0..<4)
      let isSound = !mutator.chance(4)
      let shape = (0..<rank).map { _ in isSound ? mutator.number(0..<4) : mutator.pick(Self.extents)
      }
      let bytes = shape.reduce(Self.widths[type] ?? 1) { $0.multipliedReportingOverflow(by: $1).0 }
      var offsets = [end, end &+ bytes]
      if mutator.chance(5) { offsets[0] = offsets[0] &+ mutator.pick([-8, -1, 1, 4, Int.max]) }
      if mutator.chance(5) { offsets[1] = mutator.pick(Self.extents) }
      if mutator.chance(12) { offsets.append(0) }
      if bytes >= 0, bytes < 1 << 16, isSound { end += bytes }
      let name = mutator.chance(8) ? "t0" : "t\(index)"
      members.append(
        "\"\(name)\":{\"dtype\":\"\(type)\",\"shape\":\(shape),\"data_offsets\":\(offsets)}")
    }
    text = Array(("{" + members.joined(separator: ",") + "}").utf8)
    dataLength = mutator.chance(6) ? mutator.number(0..<64) : end
  }
}
