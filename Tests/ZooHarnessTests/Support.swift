import AttentionCore
import Foundation
import ZooHarness
import ZooModels
import ZooRecords

enum Sample {
  /// A suite on the smallest geometry, two steps a case.
  static func suite(_ variants: [String], name: String = "sample") throws -> Suite {
    Suite(
      name: name, geometry: .tiny,
      variants: try variants.map { try AxisRegistry.standard.variant($0) }, threads: 2,
      limits: Suite.Limits(steps: 3, seconds: 5, warmUp: 2))
  }

  static func facts(commit: String = "0123456789abcdef") -> MachineFacts {
    MachineFacts(commit: commit)
  }

  static let reader = SuiteFile(geometry: { try ModelPresets.geometry(named: $0) })

  /// One notation of every value of every axis, valid on the tiny geometry.
  static var everyVariant: [String] {
    let registry = AxisRegistry.standard
    var names = registry.heads.flatMap { $0.samples }
    let plain = names.first ?? "mha"
    names += registry.sharings.flatMap { $0.samples }.map { "\(plain)/\($0)" }
    names += registry.reaches.flatMap { $0.samples }.map { "\(plain)/\($0)" }
    names += registry.codecs.flatMap { $0.samples }.map { "\(plain)@\($0)" }
    var seen = Set<String>()
    return names.filter {
      guard let variant = try? registry.variant($0) else { return false }
      return seen.insert(variant.notation).inserted
    }
  }

  /// Runs `body` with a fresh folder that is removed afterwards.
  static func withFolder<Result>(
    _ body: (String) async throws -> Result
  ) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("zoo-harness-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
  }
}
