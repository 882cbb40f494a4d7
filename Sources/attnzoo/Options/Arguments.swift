import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooReports

extension TableFormat: ExpressibleByArgument {}

extension WeightFormat: ExpressibleByArgument {}

/// How results are printed.
struct FormatOptions: ParsableArguments {
  @Option(help: "How results are printed: table, markdown, csv or json.")
  var format: TableFormat = .table

  func show(_ table: Table) throws {
    try StandardStreams.output(table.droppingEmptyColumns().render(format))
  }
}

/// A geometry by its name, or from a checkpoint folder.
struct GeometryOption: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Model shape: a name that `attnzoo list --geometries` prints, or a checkpoint folder. "
        + "[default: \(Self.standard)]"))
  var geometry: String?

  @Option(
    help: "embedded, or a checkpoint folder: its shape and, where weights are run, its weights.")
  var model: String?

  private static let standard = "llama-3.2-1b"

  func value() throws -> ModelGeometry {
    if let model {
      guard geometry == nil else {
        throw UsageError("--model and --geometry: expected one of them")
      }
      return try GeometryLookup.model(model)
    }
    return try GeometryLookup.geometry(geometry ?? Self.standard)
  }

  /// What a repeated command must say where the geometry's name is not enough: a folder.
  var source: String? { geometry.flatMap { $0.contains("/") ? $0 : nil } }
}

enum GeometryLookup {
  /// No preset's name holds a slash, so that a name with one is a path.
  @Sendable static func geometry(_ name: String) throws -> ModelGeometry {
    do {
      return name.contains("/")
        ? try checkpoint(name) : try ModelPresets.geometry(named: name)
    } catch let error as UnknownModelError {
      guard isFolder(name) else { throw error }
      return try checkpoint(name)
    }
  }

  static func isFolder(_ path: String) -> Bool {
    var isFolder: ObjCBool = false
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  /// The shape of the embedded model or of a checkpoint folder.
  static func model(_ source: String) throws -> ModelGeometry {
    source == EmbeddedModel.name ? .embedded : try checkpoint(source)
  }

  static func checkpoint(_ folder: String) throws -> ModelGeometry {
    guard isFolder(folder) else {
      throw HarnessError(
        .inputMissing, "\(folder): found no such folder, expected a checkpoint folder")
    }
    return try ModelFolder(folder).geometry()
  }
}

/// How caches and threads are set up.
struct RunOptions: ParsableArguments {
  @Option(help: "How caches address their rows: ring, contiguous or paged.")
  var cache: String = "ring"

  @Option(help: "Tokens a page, with --cache paged.")
  var pageSize: Int?

  @Option(help: "Threads that compute; all processors by default.")
  var threads: Int?

  @Option(help: "Seed of all random values.")
  var seed: UInt64 = 1

  @Option(help: "How random weights are stored: f32, f16, bf16 or int8.")
  var weights: WeightFormat = .bfloat16

  func storage() throws -> CacheStorage {
    guard pageSize == nil || cache == "paged" else {
      throw UsageError("--page-size belongs to --cache paged")
    }
    switch cache {
    case "ring": return .ring
    case "contiguous": return .contiguous
    case "paged":
      let tokens = pageSize ?? 16
      guard (1...1 << 20).contains(tokens) else {
        throw UsageError("--page-size \(tokens): expected 1 to 1,048,576")
      }
      return .paged(pageTokens: tokens)
    default:
      throw UsageError("--cache \(cache): expected ring, contiguous or paged")
    }
  }

  func pool() throws -> WorkerPool {
    WorkerPool(threads: try ThreadCount.checked(threads))
  }
}

/// Threads as a flag gives them.
enum ThreadCount {
  /// More than this a processor would only wait for each other.
  private static let mostEach = 16

  static func checked(_ threads: Int?) throws -> Int {
    let processors = WorkerPool.availableProcessors
    let most = min(4_096, mostEach * processors)
    let count = threads ?? processors
    guard (1...max(most, processors)).contains(count) else {
      throw UsageError(
        "--threads \(count): expected 1 to \(most), \(mostEach) for each processor here")
    }
    return count
  }
}

/// Lists such as `1k,8k` and `mha,gqa:8`.
enum ListArgument {
  static func tokens(_ text: String, _ flag: String) throws -> [Int] {
    try split(text).map { item in
      guard let count = Quantity.tokens(item), count > 0 else {
        throw UsageError("\(flag) \(text): expected token counts such as 512,8k")
      }
      return count
    }
  }

  static func counts(_ text: String, _ flag: String) throws -> [Int] {
    try split(text).map { item in
      guard let count = Int(item), count > 0 else {
        throw UsageError("\(flag) \(text): expected numbers from 1, such as 1,4")
      }
      return count
    }
  }

  /// What stands for a model's own variant in a list.
  static let own = OwnVariant.word

  /// Variants, separated by commas outside brackets; `own` stands for that of `geometry`, and may
  /// name a codec: `own@int8`.
  static func variants(_ text: String, on geometry: ModelGeometry) throws -> [Variant] {
    var items: [String] = []
    var current = ""
    var depth = 0
    for character in text {
      if character == "[" { depth += 1 }
      if character == "]" { depth -= 1 }
      if character == ",", depth == 0 {
        items.append(current)
        current = ""
      } else {
        current.append(character)
      }
    }
    items.append(current)
    var seen = Set<Variant>()
    return try items.map { try OwnVariant.variant($0, on: geometry) }.filter {
      seen.insert($0).inserted
    }
  }

  private static func split(_ text: String) -> [String] {
    text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }
}
