import AttentionCore

/// The variants that the checker runs: every sample of every registered value.
struct VariantProduct {
  let registry: AxisRegistry

  private var heads: [String] { registry.heads.flatMap { $0.samples } }
  private var sharings: [String?] { [nil] + registry.sharings.flatMap { $0.samples } }
  private var codecNames: [String] { registry.codecs.flatMap(\.samples) }
  /// The default, every codec alone, and every codec as the first and as the second of a pair.
  private var codecs: [String?] {
    let names = codecNames
    let pairs = names.indices.map { "\(names[$0]):\(names[($0 + 1) % names.count])" }
    return [nil] + names + pairs
  }
  /// Every pair of different codecs.
  private var codecPairs: [String] {
    codecNames.flatMap { first in
      codecNames.filter { $0 != first }.map { "\(first):\($0)" }
    }
  }
  /// Latent attention keeps one row, which a codec that groups tokens takes whole or not at all.
  private func isMeant(_ head: String, _ codec: String?) -> Bool {
    guard head.hasPrefix("mla"), let codec else { return true }
    return codecNames.contains(codec) || !codec.contains("c:")
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
          codecs.filter { isMeant(head, $0) }.map { Self.join(head, sharing, reach, $0) }
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

  /// Every pair of values of two axes, the other axes at a default that varies from pair to pair;
  /// and every pair of codecs.
  var pairs: [String] {
    var result: [String] = []
    var turn = 0
    func pick<Value>(_ values: [Value]) -> Value {
      turn += 1
      return values[turn % values.count]
    }
    func pickCodec(_ head: String) -> String? { pick(codecs.filter { isMeant(head, $0) }) }
    func pickHead(_ codec: String?) -> String { pick(heads.filter { isMeant($0, codec) }) }
    for head in heads {
      for sharing in sharings {
        result.append(Self.join(head, sharing, pick(reaches), pickCodec(head)))
      }
      for reach in reaches {
        result.append(Self.join(head, pick(sharings), reach, pickCodec(head)))
      }
      for codec in codecs where isMeant(head, codec) {
        result.append(Self.join(head, pick(sharings), pick(reaches), codec))
      }
    }
    for sharing in sharings {
      for reach in reaches {
        let head = pick(heads)
        result.append(Self.join(head, sharing, reach, pickCodec(head)))
      }
      for codec in codecs {
        result.append(Self.join(pickHead(codec), sharing, pick(reaches), codec))
      }
    }
    for reach in reaches {
      for codec in codecs {
        result.append(Self.join(pickHead(codec), pick(sharings), reach, codec))
      }
    }
    for codec in codecPairs {
      result.append(Self.join(pickHead(codec), pick(sharings), pick(reaches), codec))
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
