import AttentionCore
import AttentionZoo

/// What `config.json` says of attention that no published architecture can: the member
/// `attention_zoo` beside the keys of the architecture that the rest of the model is of.
///
/// ```json
/// "architectures": ["AttentionZooForCausalLM"],
/// "model_type": "attention_zoo",
/// "attention_zoo": {
///   "format": 1,
///   "architecture": "LlamaForCausalLM",
///   "variant": "mla:64+16x8/cla:2",
///   "rope_frequencies": [[1.0, 0.1], []]
/// }
/// ```
///
/// Tensors: those of ``NativeTensors``.
public struct HFNativeAttention: Hashable, Sendable {
  /// The variant, in the notation.
  public var variant: String
  /// Radians a position of every pair of a latent layer's RoPE slices, slice after slice, one list a
  /// layer; empty where a layer rotates as its architecture says.
  public var frequencies: [[Double]]

  static let member = "attention_zoo"
  static let variantPlace = member + ".variant"
  static let architectureName = "AttentionZooForCausalLM"
  static let format = 1

  public init(variant: String, layers: Int) {
    self.variant = variant
    frequencies = Array(repeating: [], count: layers)
  }

  /// Takes down what the configuration must say of a layer.
  mutating func note(_ attention: any AttentionModule, layer: Int) {
    guard let module = attention as? LatentAttention else { return }
    frequencies[layer] = module.options.rotary?.frequencies ?? []
  }

  /// The members of `config.json` that say it.
  func members(of architecture: HFArchitecture) -> [String: JSONValue] {
    [
      "architectures": .array([.string(Self.architectureName)]),
      "model_type": .string(Self.member),
      Self.member: .object([
        "format": .integer(Self.format),
        "architecture": .string(architecture.name),
        "variant": .string(variant),
        "rope_frequencies": .array(frequencies.map { .array($0.map { .real($0) }) }),
      ]),
    ]
  }

  /// Refuses latent layers without a frequency for every pair.
  func check(_ layouts: [KVLayout], file: String) throws(CheckpointError) {
    for layout in layouts {
      guard case .latent(let shape) = layout.heads else { continue }
      let (found, pairs) = (
        frequencies[layout.layer].count, shape.ropeSlices * shape.ropeWidth / 2
      )
      guard found == pairs else {
        throw CheckpointError(
          kind: .malformed, file: file,
          place: "\(Self.member).rope_frequencies[\(layout.layer)]", found: "\(found) numbers",
          expected: "\(pairs), one a pair")
      }
    }
  }

  /// Refuses another number of layers than the model's.
  func check(layers: Int, file: String) throws(CheckpointError) {
    guard frequencies.count == layers else {
      throw CheckpointError(
        kind: .malformed, file: file, place: "\(Self.member).rope_frequencies",
        found: "\(frequencies.count) lists", expected: "\(layers), one a layer")
    }
  }
}

/// The member as it is read, with the architecture of the rest of the model.
struct HFNativeMember {
  let attention: HFNativeAttention
  let architecture: String

  /// The configuration as that of the architecture that the rest of the model is of.
  static func architectureMembers(
    _ members: [String: JSONValue], _ native: HFNativeMember?
  ) -> [String: JSONValue] {
    guard let native else { return members }
    var result = members
    result["architectures"] = .array([.string(native.architecture)])
    return result
  }
}

extension HFNativeAttention {
  /// Nil where the configuration has no such member.
  /// - Throws: `CheckpointError`.
  static func read(
    _ members: [String: JSONValue], file: String
  ) throws(CheckpointError) -> HFNativeMember? {
    guard let value = members[member] else { return nil }
    func malformed(_ key: String, _ found: String, _ expected: String) -> CheckpointError {
      CheckpointError(
        kind: .malformed, file: file, place: key.isEmpty ? member : "\(member).\(key)",
        found: found, expected: expected)
    }
    guard case .object(let object) = value else {
      throw malformed("", value.summary, "an object")
    }
    guard case .integer(format)? = object["format"] else {
      throw malformed("format", object["format"]?.summary ?? "nothing", "\(format)")
    }
    guard case .string(let architecture)? = object["architecture"] else {
      throw malformed(
        "architecture", object["architecture"]?.summary ?? "nothing", "a class name")
    }
    guard case .string(let variant)? = object["variant"] else {
      throw malformed("variant", object["variant"]?.summary ?? "nothing", "a variant")
    }
    guard (try? AxisRegistry.standard.variant(variant)) != nil else {
      throw malformed("variant", CheckpointError.quoted(variant), "a variant in the notation")
    }
    guard case .array(let lists)? = object["rope_frequencies"] else {
      throw malformed(
        "rope_frequencies", object["rope_frequencies"]?.summary ?? "nothing", "a list of lists")
    }
    var result = HFNativeAttention(variant: variant, layers: lists.count)
    for (layer, list) in lists.enumerated() {
      guard case .array(let values) = list else {
        throw malformed("rope_frequencies[\(layer)]", list.summary, "a list of numbers")
      }
      for value in values {
        switch value {
        case .real(let number) where number.isFinite: result.frequencies[layer].append(number)
        case .integer(let number): result.frequencies[layer].append(Double(number))
        default: throw malformed("rope_frequencies[\(layer)]", value.summary, "finite numbers")
        }
      }
    }
    return HFNativeMember(attention: result, architecture: architecture)
  }
}
