/// How a checkpoint's weights are stored in fewer bits, by `quantization_config`. Reading decodes
/// them.
public enum HFQuantisation: Hashable, Sendable {
  /// 8-bit floats (E4M3) with a float32 factor for each block of `rows` × `columns` weights, in a
  /// tensor `…weight_scale_inv` beside them (DeepSeek-V3).
  case blockFP8(rows: Int, columns: Int)
  /// 4-bit floats (E2M1) of expert weights with a power of two for each 32, in tensors `…_blocks`
  /// and `…_scales` (gpt-oss; the OCP microscaling format).
  case mxfp4

  /// The methods that are read.
  static let knownMethods = ["fp8", "mxfp4"]

  static func read(_ reader: ConfigReader) throws(CheckpointError) -> HFQuantisation? {
    guard let object = try reader.optionalObject("quantization_config") else { return nil }
    let method = try object.optionalString("quant_method")
    switch method {
    case "mxfp4": return .mxfp4
    case "fp8":
      if let format = try object.optionalString("fmt"), format != "e4m3" {
        throw object.malformed(
          "fmt", found: CheckpointError.quoted(format), expected: "\"e4m3\"", kind: .unsupported)
      }
      guard let value = object.value("weight_block_size") else {
        return .blockFP8(rows: 128, columns: 128)
      }
      guard case .array(let sizes) = value, sizes.count == 2, case .integer(let rows) = sizes[0],
        case .integer(let columns) = sizes[1], (1...1 << 20).contains(rows),
        (1...1 << 20).contains(columns)
      else {
        throw object.malformed(
          "weight_block_size", found: value.summary, expected: "rows and columns of a block")
      }
      return .blockFP8(rows: rows, columns: columns)
    default:
      throw object.malformed(
        "quant_method", found: method.map { CheckpointError.quoted($0) } ?? "nothing",
        expected: "weights in full precision, or one of \(knownMethods.joined(separator: ", "))",
        kind: .unsupported)
    }
  }

  var json: JSONValue {
    switch self {
    case .mxfp4: .object(["quant_method": .string("mxfp4")])
    case .blockFP8(let rows, let columns):
      .object([
        "quant_method": .string("fp8"), "fmt": .string("e4m3"),
        "weight_block_size": .array([.integer(rows), .integer(columns)]),
      ])
    }
  }
}
