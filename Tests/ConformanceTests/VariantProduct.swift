import AttentionCore

/// The variants that the checker runs: every sample of every registered value.
struct VariantProduct {
  let registry: AxisRegistry

  private var heads: [String] { registry.heads.flatMap { $0.samples } }
  private var sharings: [String?] { [nil] + registry.sharings.flatMap { $0.samples } }
  private var codecs: [String?] {
    let names = registry.codecs.flatMap(\.samples)
    let pairs = names.flatMap { first in names.map { first == $0 ? first : "\(first):\($0)" } }
    return [nil] + pairs
  }
  /// Reaches with and without sinks beside them.
  private var reaches: [String?] {
    let plain = registry.reaches.flatMap { $0.samples }
    let sinks = AttentionSinks.samples
    return [nil] + plain + plain.flatMap { reach in sinks.map { "\(reach)/\($0)" } }
  }

  /// Every combination of all axes.
  var full: [String] {
    heads.flatMap { head in
      sharings.flatMap { sharing in
        reaches.flatMap { reach in
          codecs.map { Self.join(head, sharing, reach, $0) }
        }
      }
    } + Self.lists
  }

  /// Models whose layers follow no pattern, for the six layers of the checker's geometry.
  static let lists = [
    "[mha*2,gqa:2*2,mqa*2]", "[gqa:2/swa:7@bf16*3,gqa:2@bf16*3]",
    "[mla:16+8*2,gqa:2/swa:16/sink:4*2,mla:24+8x2/swa:7*2]",
    "[gqa:2/cla:2*3,mla:16+8/cla:3*3]", "[mqa/swa:1/cla:2*2,mha@f32*2,mla:16+8/swa:16/cla:2*2]",
  ]

  /// Every pair of values of two axes, the other axes at a default that varies from pair to pair.
  var pairs: [String] {
    var result: [String] = []
    var turn = 0
    func pick<Value>(_ values: [Value]) -> Value {
      turn += 1
      return values[turn % values.count]
    }
    for head in heads {
      for sharing in sharings {
        result.append(Self.join(head, sharing, pick(reaches), pick(codecs)))
      }
      for reach in reaches { result.append(Self.join(head, pick(sharings), reach, pick(codecs))) }
      for codec in codecs { result.append(Self.join(head, pick(sharings), pick(reaches), codec)) }
    }
    for sharing in sharings {
      for reach in reaches { result.append(Self.join(pick(heads), sharing, reach, pick(codecs))) }
      for codec in codecs { result.append(Self.join(pick(heads), sharing, pick(reaches), codec)) }
    }
    for reach in reaches {
      for codec in codecs { result.append(Self.join(pick(heads), pick(sharings), reach, codec)) }
    }
    result += Self.lists
    var seen = Set<String>()
    return result.filter { seen.insert($0).inserted }
  }

  private static func join(
    _ head: String, _ sharing: String?, _ reach: String?, _ codec: String?
  ) -> String {
    [head, sharing, reach].compactMap { $0 }.joined(separator: "/") + (codec.map { "@" + $0 } ?? "")
  }
}
