import Foundation
import ZooHarness
import ZooModels
import ZooPlanner
import ZooReports

/// What `inspect` says of a checkpoint's folder beside its geometry.
struct CheckpointSummary {
  private let config: HFConfig
  private let folder: CheckpointFolder?

  /// Reads the configuration and, where the weights are there, their headers.
  init(folder path: String) throws {
    config = try HFConfig(path: path + "/" + CheckpointFolder.configFileName)
    let files = [ShardedTensors.singleFileName, ShardedTensors.indexFileName]
    // A configuration alone is a geometry, too.
    folder =
      files.contains { FileManager.default.fileExists(atPath: path + "/" + $0) }
      ? try CheckpointFolder(path: path) : nil
  }

  var traits: WeightTraits { WeightTraits(config) }

  func lines(planned: WeightPlan) -> [String] {
    var lines = [
      config.architecture.name + (config.quantisation.map { ", " + Self.text($0) } ?? "")
    ]
    let active =
      planned.active == planned.total
      ? "" : ", \(NumberText.whole(planned.active)) used by a token"
    if let folder {
      let count = folder.parameterCount
      lines.append("\(NumberText.whole(count)) parameters in \(Self.files(folder))\(active)")
      if count != planned.total {
        lines.append(
          "\(NumberText.whole(planned.total)) parameters expected from the configuration")
      }
    } else {
      lines.append(
        "\(NumberText.whole(planned.total)) parameters by the configuration\(active); no weights "
          + "in the folder")
    }
    return lines
  }

  /// The MLP of a layer: its inner width, or how many of how many experts run.
  func feedForward(ofLayer index: Int) -> String {
    guard let mixture = config.mixture, mixture.isIn(layer: index) else {
      return "\(config.intermediateSize)"
    }
    let shared = mixture.sharedWidth.map { " + \($0)" } ?? ""
    return "\(mixture.expertsPerToken) of \(mixture.expertCount) × \(mixture.width)\(shared)"
  }

  /// The base of a layer's rotation and how it is scaled.
  func rope(ofLayer index: Int) -> String {
    let rope =
      config.window(ofLayer: index) == nil ? config.rope : config.localRope ?? config.rope
    let base = NumberText.plain(rope.theta)
    guard rope.type != "default", let factor = rope.factor else { return base }
    return "\(base) \(rope.type) ×\(NumberText.plain(factor))"
  }

  private static func files(_ folder: CheckpointFolder) -> String {
    let count = folder.tensors.shards.count
    return count == 1 ? "one file" : "\(count) files"
  }

  private static func text(_ quantisation: HFQuantisation) -> String {
    switch quantisation {
    case .blockFP8(let rows, let columns): "8-bit floats in blocks of \(rows) × \(columns)"
    case .mxfp4: "experts in MXFP4"
    }
  }
}
