import AttentionCore
import Foundation
import Yams
import ZooLinearAlgebra
import ZooModels
import ZooRecords

/// Suite files: YAML with a fixed set of keys; any other is refused with its line and the list of
/// known ones.
public struct SuiteFile: Sendable {
  /// Finds a geometry by its name; throws a line that lists the names.
  public typealias GeometryLookup = @Sendable (String) throws -> ModelGeometry

  private let registry: AxisRegistry
  private let geometry: GeometryLookup

  /// A reader of suites.
  /// - Parameters:
  ///   - registry: the axis values that variants may have.
  ///   - geometry: finds a geometry by name.
  public init(registry: AxisRegistry = .standard, geometry: @escaping GeometryLookup) {
    self.registry = registry
    self.geometry = geometry
  }

  /// Reads a suite file.
  /// - Throws: `HarnessError`: `inputMissing`, or `badData` with `file:line: what was expected`.
  public func read(_ path: String) throws(HarnessError) -> Suite {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw HarnessError(.inputMissing, "\(path): expected a readable suite file")
    }
    guard data.count <= 1 << 20, let text = String(data: data, encoding: .utf8) else {
      throw HarnessError(.badData, "\(path): expected a suite of at most 1 MiB in UTF-8")
    }
    return try parse(text, file: path)
  }

  /// Reads a suite from text; `file` is its name in messages.
  /// - Throws: `HarnessError` (`badData`).
  public func parse(_ text: String, file: String) throws(HarnessError) -> Suite {
    let root: Node?
    do {
      root = try Parser(yaml: text).singleRoot()
    } catch {
      throw Self.syntax(error, file: file)
    }
    guard let root, case .mapping = root else {
      throw HarnessError(.badData, "\(file):1: expected a mapping of suite keys")
    }
    let reader = try SuiteMapping(root, file: file, known: Self.keys)
    let suite = try suite(from: reader)
    do {
      try suite.validate()
    } catch {
      throw HarnessError(.badData, "\(file): \(error.message)")
    }
    return suite
  }

  private static let keys = [
    "name", "geometry", "model", "variants", "weights", "cache", "page_size", "threads", "seed",
    "memory_fraction", "limits", "tail", "attention", "step", "max_batch", "fidelity",
  ]

  private func suite(from root: SuiteMapping) throws(HarnessError) -> Suite {
    let model = try root["model"]?.text()
    if model != nil, let both = root["geometry"] {
      throw both.refused("expected geometry or model, not both")
    }
    let named: SuiteValue
    if let value = root["model"] { named = value } else { named = try root.require("geometry") }
    let source: String
    let shape: ModelGeometry
    do {
      source = try named.text()
      shape = try model == nil ? geometry(source) : ModelFolder(source).geometry()
    } catch {
      throw named.refused("\(error)")
    }
    var suite = Suite(
      name: try fileName(root.require("name")), geometry: shape,
      geometrySource: source.contains("/") ? source : nil, model: model,
      variants: try root["variants"].map { value throws(HarnessError) in
        try variants(value, on: shape)
      } ?? [])
    if let value = root["weights"] {
      guard let format = WeightFormat(rawValue: try value.text()) else {
        throw value.refused("expected one of f32, f16, bf16")
      }
      suite.weights = format
    }
    if let value = root["cache"] {
      suite.storage = try storage(value, root["page_size"])
    } else if let pageSize = root["page_size"] {
      throw pageSize.refused("page_size belongs to cache: paged")
    }
    if let value = root["threads"], try value.text() != "all" {
      suite.threads = try value.whole(1...4_096)
    }
    if let value = root["seed"] { suite.seed = UInt64(try value.whole(0...Int.max)) }
    if let value = root["memory_fraction"] { suite.memoryFraction = try value.number() }
    if let value = root["limits"] { suite.limits = try limits(value) }
    suite.tail = try root["tail"].map { value throws(HarnessError) in try tail(value) }
    suite.attention = try root["attention"].map { value throws(HarnessError) in
      try grid(try value.mapping(["contexts", "batches"]))
    }
    if let value = root["step"] {
      let section = try value.mapping(["contexts", "batches", "prefill_tokens"])
      suite.step = try grid(section)
      suite.prefillTokens = try section["prefill_tokens"].map { tokens throws(HarnessError) in
        try tokens.tokens()
      }
    }
    suite.maxBatch = try root["max_batch"].map { value throws(HarnessError) in
      try maxBatch(value)
    }
    suite.fidelity = try root["fidelity"].map { value throws(HarnessError) in
      try fidelity(value, model: model)
    }
    return suite
  }

  private func variants(
    _ value: SuiteValue, on geometry: ModelGeometry, checks: Bool = true
  ) throws(HarnessError) -> [Variant] {
    var seen = Set<Variant>()
    return try value.list().map { item throws(HarnessError) in
      let text = try item.text()
      do throws(NotationError) {
        let variant = try OwnVariant.variant(text, on: geometry, registry: registry)
        if checks { _ = try variant.layouts(for: geometry) }
        guard seen.insert(variant).inserted else {
          throw NotationError(notation: text, reason: "is in the list twice")
        }
        return variant
      } catch {
        throw item.refused("\(error)")
      }
    }
  }

  /// A suite's name, which its row file has too: nothing that would lead out of the folder.
  private func fileName(_ value: SuiteValue) throws(HarnessError) -> String {
    let name = try value.text()
    guard !name.contains("/"), !name.hasPrefix(".") else {
      throw value.refused("expected a name that files can have, without / and no . before it")
    }
    return name
  }

  private func storage(
    _ value: SuiteValue, _ pageSize: SuiteValue?
  ) throws(HarnessError) -> CacheStorage {
    let name = try value.text()
    if name != "paged", let pageSize {
      throw pageSize.refused("page_size belongs to cache: paged")
    }
    switch name {
    case "contiguous": return .contiguous
    case "ring": return .ring
    case "paged": return .paged(pageTokens: try pageSize?.whole(1...1 << 20) ?? 16)
    default: throw value.refused("expected one of contiguous, ring, paged")
    }
  }

  private func limits(_ value: SuiteValue) throws(HarnessError) -> Suite.Limits {
    let section = try value.mapping(["steps", "seconds", "warm_up"])
    var limits = Suite.Limits()
    if let steps = section["steps"] { limits.steps = try steps.whole(1...1_000_000) }
    if let seconds = section["seconds"] { limits.seconds = try seconds.number() }
    if let warmUp = section["warm_up"] { limits.warmUp = try warmUp.whole(2...1_000) }
    return limits
  }

  private func tail(_ value: SuiteValue) throws(HarnessError) -> Suite.Tail {
    let section = try value.mapping(["contexts", "batches", "steps", "seconds"])
    var tail = Suite.Tail(grid: try grid(section))
    if let steps = section["steps"] { tail.steps = try steps.whole(1...1_000_000) }
    if let seconds = section["seconds"] { tail.seconds = try seconds.number() }
    return tail
  }

  private func grid(_ section: SuiteMapping) throws(HarnessError) -> Suite.Grid {
    Suite.Grid(
      contexts: try section.require("contexts").list().map { item throws(HarnessError) in
        try item.tokens()
      },
      batches: try section.require("batches").list().map { item throws(HarnessError) in
        try item.whole(1...1 << 20)
      })
  }

  private func maxBatch(_ value: SuiteValue) throws(HarnessError) -> Suite.MaxBatch {
    let section = try value.mapping(["budget", "contexts", "seconds_per_child"])
    let budget = try section.require("budget")
    guard let bytes = ByteBudget(try budget.text()) else {
      throw budget.refused("expected bytes such as 6GiB, or weights+4GiB")
    }
    var result = Suite.MaxBatch(
      budget: bytes,
      contexts: try section.require("contexts").list().map { item throws(HarnessError) in
        try item.tokens()
      })
    if let seconds = section["seconds_per_child"] { result.secondsPerChild = try seconds.number() }
    return result
  }

  private func fidelity(
    _ value: SuiteValue, model: String?
  ) throws(HarnessError) -> Suite.Fidelity {
    let section = try value.mapping([
      "model", "variants", "text", "tokens", "against", "kind", "segments",
    ])
    let source = try section["model"]?.text() ?? model ?? EmbeddedModel.name
    let shape: ModelGeometry
    do {
      shape = try ModelFolder(source).geometry()
    } catch {
      throw (section["model"] ?? value).refused("\(error)")
    }
    var result = Suite.Fidelity(
      model: source,
      variants: try variants(try section.require("variants"), on: shape, checks: false))
    if let text = section["text"] { result.text = try text.text() }
    if let tokens = section["tokens"] {
      guard result.text == nil else { throw tokens.refused("expected text or tokens, not both") }
      result.tokens = try tokens.text()
    }
    if let against = section["against"] { result.against = try against.text() }
    if let kind = section["kind"] {
      guard let known = FidelityKind(rawValue: try kind.text()) else {
        throw kind.refused(
          "expected one of " + FidelityKind.allCases.map(\.rawValue).joined(separator: ", "))
      }
      result.kind = known
    }
    if let segments = section["segments"] { result.segments = try segments.whole(1...1 << 30) }
    return result
  }

  private static func syntax(_ error: any Error, file: String) -> HarnessError {
    var line = 1
    var problem = "expected YAML"
    switch error as? YamlError {
    case .scanner(_, let what, let mark, _), .parser(_, let what, let mark, _),
      .composer(_, let what, let mark, _):
      (line, problem) = (mark.line, "expected YAML: \(what)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      line = context.mark.line
      problem = "key given twice: \(duplicates.joined(separator: ", "))"
    default: break
    }
    let oneLine = problem.split(whereSeparator: \.isNewline).joined(separator: " ")
    return HarnessError(.badData, "\(file):\(line): \(oneLine)")
  }
}
