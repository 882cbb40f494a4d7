import Foundation
import Testing
import ZooModels

@Suite(
  "Converting needs memory for one layer, however many there are",
  .enabled(if: FileManager.default.fileExists(atPath: "/proc/self/status")))
struct StreamingTests {
  private static let layerBytes = 4 * (4 * 256 * 256 + 3 * 256 * 1024)

  /// A byte-level model of `layers` layers in float32.
  private func writeModel(_ layers: Int, to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let config = HFConfig(
      hiddenSize: 256, layerCount: layers, headCount: 8, keyValueHeadCount: 8,
      intermediateSize: 1024, vocabularySize: 256, maximumPositions: 1024)
    try config.write(to: folder + "/config.json")
    let tensors = LlamaTensorNames.tensors(of: config, dtype: .f32)
    let writer = try SafetensorsWriter(path: folder + "/model.safetensors", tensors: tensors)
    let values = (0..<1024 * 256).map { index -> Float in
      let mixed: Int = index * 7919 % 2003
      return Float(mixed) / 16_000 - 0.0625
    }
    let ones = [Float](repeating: 1, count: 256)
    for tensor in tensors {
      let count = tensor.shape.reduce(1, *)
      let source = tensor.shape.count == 1 ? ones : values
      try source.withUnsafeBufferPointer {
        try writer.append(UnsafeBufferPointer(rebasing: $0[..<count]), to: tensor.name)
      }
    }
    try writer.finish()
  }

  @Test(
    "to latent rows, fewer heads and windows; the whole model is many times that",
    arguments: ["mla:64+16", "gqa:2", "mha/swa:64", "mha/cla:2"])
  func bounded(target: String) throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write(String(repeating: "one layer after another; ", count: 200), to: "text")
    func peak(_ layers: Int) throws -> Int {
      try writeModel(layers, to: folder("source"))
      let (ending, peak) = try program.runMeasured([
        "convert", "source", "--to", target, "--out", "out", "--text", "text",
        "--calibration-tokens", "256", "--evaluation-segments", "0",
      ])
      #expect(ending.code == 0, Comment(rawValue: ending.errors))
      #expect(try CheckpointFolder(path: folder("out")).config.layerCount == layers)
      try FileManager.default.removeItem(atPath: folder("source"))
      try FileManager.default.removeItem(atPath: folder("out"))
      return peak
    }
    let (few, many) = (try peak(3), try peak(27))
    #expect(few > Self.layerBytes)
    #expect(
      many - few < 3 * Self.layerBytes,
      "\(many - few) bytes more for 24 layers more of \(Self.layerBytes)")
  }
}
