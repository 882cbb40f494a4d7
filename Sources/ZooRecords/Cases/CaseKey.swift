/// Every input that changes the result of a case, and their hash.
///
/// The commit, the machine, the date and the suite's name are no inputs: the same case of two
/// commits or machines has the same hash, so that they can be compared.
public struct CaseKey: Sendable, Hashable {
  private var inputs: [String: String]

  /// Named inputs in their canonical text.
  public init(_ inputs: [String: String]) {
    self.inputs = inputs
  }

  /// The inputs of a row, with `extra` for those that a row does not carry as such (step and
  /// time limits, evaluation text, byte budget, prompt tokens, ...).
  public init(
    scope: RowScope, variant: String, geometry: ResultRow.Geometry, context: Int, batch: Int,
    lengths: [Int]? = nil, threads: Int, seed: UInt64, weights: ResultRow.Weights? = nil,
    cache: ResultRow.Cache? = nil, filledBy: RowFilling? = nil, origin: RowOrigin = .measured,
    extra: [String: String] = [:]
  ) {
    inputs = [:]
    for (name, value) in extra { inputs["extra.\(name)"] = value }
    inputs["scope"] = scope.rawValue
    inputs["origin"] = origin.rawValue
    inputs["variant"] = variant
    inputs["context"] = "\(context)"
    inputs["batch"] = "\(batch)"
    inputs["lengths"] = lengths.map { $0.map(String.init).joined(separator: ",") }
    inputs["threads"] = "\(threads)"
    inputs["seed"] = "\(seed)"
    inputs["filled_by"] = filledBy?.rawValue
    inputs["cache.kind"] = cache?.kind.rawValue
    inputs["cache.page_size"] = cache?.pageSize.map { "\($0)" }
    inputs["weights.dtype"] = weights?.dtype
    inputs["weights.source"] = weights?.source
    inputs["weights.hash"] = weights?.hash
    inputs["geometry.name"] = geometry.name
    inputs["geometry.layers"] = "\(geometry.layers)"
    inputs["geometry.hidden"] = "\(geometry.hidden)"
    inputs["geometry.query_heads"] = "\(geometry.queryHeads)"
    inputs["geometry.kv_heads"] = "\(geometry.kvHeads)"
    inputs["geometry.head_width"] = "\(geometry.headWidth)"
    inputs["geometry.mlp"] = "\(geometry.mlp)"
    inputs["geometry.vocabulary"] = "\(geometry.vocabulary)"
    inputs["geometry.own_variant"] = geometry.declaredVariant
  }

  /// `name=length:value` lines by name; the length keeps values with line breaks apart.
  public var canonical: String {
    inputs.keys.sorted().map { name in
      let value = inputs[name] ?? ""
      return "\(name)=\(value.utf8.count):\(value)\n"
    }.joined()
  }

  /// FNV-1a over ``canonical``, 64 bits as 16 hexadecimal digits.
  public var hash: String { Self.hash(canonical) }

  /// FNV-1a over the UTF-8 of a text, 64 bits as 16 hexadecimal digits
  /// (<http://www.isthe.com/chongo/tech/comp/fnv/>).
  public static func hash(_ text: String) -> String {
    var state: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text.utf8 {
      state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    let digits = String(state, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
