import Foundation
import ZooModels

/// Small checkpoints of every architecture, each with its configuration.
struct ModelFixture {
  let name: String
  let folder: String
  let config: [UInt8]

  /// Those of the tests' fixtures, and one of Llama's kind that is made here.
  static func all(in temporary: TemporaryFolder) throws -> [ModelFixture] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Fixtures/Transformers").standardizedFileURL.path
    let names = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    var result = try names.sorted().compactMap { name -> ModelFixture? in
      let folder = root + "/" + name
      guard let data = FileManager.default.contents(atPath: folder + "/config.json") else {
        return nil
      }
      return try ModelFixture(name: name, copying: folder, config: Array(data), to: temporary)
    }
    result.append(try made(in: temporary))
    return result
  }

  private init(name: String, folder: String, config: [UInt8]) {
    self.name = name
    self.folder = folder
    self.config = config
  }

  /// A copy of the weights in a folder whose configuration may be overwritten.
  private init(
    name: String, copying source: String, config: [UInt8], to temporary: TemporaryFolder
  ) throws {
    let folder = temporary(name)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for file in try FileManager.default.contentsOfDirectory(atPath: source)
    where file.hasPrefix("model") {
      try FileManager.default.copyItem(atPath: source + "/" + file, toPath: folder + "/" + file)
    }
    self.init(name: name, folder: folder, config: config)
  }

  private static func made(in temporary: TemporaryFolder) throws -> ModelFixture {
    let folder = temporary("made")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    var config = tinyConfig()
    config.endTokenIDs = [1, 2]
    let tensors = LlamaTensorNames.tensors(of: config, dtype: .f32)
    let writer = try SafetensorsWriter(path: folder + "/model.safetensors", tensors: tensors)
    for tensor in tensors {
      let count = tensor.shape.reduce(1, *)
      try writer.append((0..<count).map { Float($0 % 7) / 16 }, to: tensor.name)
    }
    try writer.finish()
    return ModelFixture(name: "made", folder: folder, config: Array(config.json.utf8))
  }
}
