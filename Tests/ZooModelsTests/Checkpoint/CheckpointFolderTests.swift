import Foundation
import Testing
import ZooModels

/// A tiny configuration.
func tinyConfig() -> HFConfig {
  HFConfig(
    hiddenSize: 8, layerCount: 2, headCount: 2, keyValueHeadCount: 1, intermediateSize: 12,
    vocabularySize: 16, maximumPositions: 64)
}

/// Writes `tensors`, each filled with its place in the list, to a file.
private func write(_ tensors: [TensorDeclaration], to path: String) throws {
  let writer = try SafetensorsWriter(path: path, tensors: tensors, metadata: ["format": "pt"])
  for (index, tensor) in tensors.enumerated() {
    let count = tensor.shape.reduce(1, *)
    try writer.append([Float](repeating: Float(index), count: count), to: tensor.name)
  }
  try writer.finish()
}

private func writeIndex(_ map: [(String, String)], to path: String) throws {
  let entries = map.map { "\"\($0.0)\":\"\($0.1)\"" }.joined(separator: ",")
  try Data("{\"metadata\":{\"total_size\":1},\"weight_map\":{\(entries)}}".utf8)
    .write(to: URL(fileURLWithPath: path))
}

@Suite("A Hugging Face folder opens as one set of tensors")
struct CheckpointFolderTests {
  @Test("one file")
  func single() throws {
    let folder = try TemporaryFolder()
    let config = tinyConfig()
    let tensors = LlamaTensorNames.tensors(of: config, dtype: .bf16)
    try config.write(to: folder("config.json"))
    try write(tensors, to: folder("model.safetensors"))
    let checkpoint = try CheckpointFolder(path: folder.path)
    #expect(checkpoint.config == config)
    #expect(checkpoint.names == tensors.map(\.name).sorted())
    #expect(checkpoint.contains("lm_head.weight"))
    for (index, tensor) in tensors.enumerated() {
      let values = try checkpoint.floats(named: tensor.name, expectedShape: tensor.shape)
      #expect(values.allSatisfy { $0 == Float(index) })
    }
  }

  @Test("shards, found by the index")
  func shards() throws {
    let folder = try TemporaryFolder()
    let config = tinyConfig()
    let tensors = LlamaTensorNames.tensors(of: config, dtype: .f32)
    try config.write(to: folder("config.json"))
    let first = Array(tensors[..<7])
    let second = Array(tensors[7...])
    try write(first, to: folder("model-00001-of-00002.safetensors"))
    try write(second, to: folder("model-00002-of-00002.safetensors"))
    let map =
      first.map { ($0.name, "model-00001-of-00002.safetensors") }
      + second.map { ($0.name, "model-00002-of-00002.safetensors") }
    try writeIndex(map, to: folder("model.safetensors.index.json"))
    let checkpoint = try CheckpointFolder(path: folder.path)
    #expect(checkpoint.tensors.shards.count == 2)
    #expect(checkpoint.names == tensors.map(\.name).sorted())
    #expect(try checkpoint.floats(named: second[1].name).allSatisfy { $0 == 1 })
    let view = try checkpoint.tensor(named: first[3].name, shape: first[3].shape)
    #expect(view.file == folder("model-00001-of-00002.safetensors"))
    let error = try #require(throws: CheckpointError.self) { try checkpoint.tensor(named: "x") }
    #expect(error.file == folder.path + "/model.safetensors.index.json")

    try FileManager.default.removeItem(atPath: folder("model-00002-of-00002.safetensors"))
    let missing = try #require(throws: CheckpointError.self) {
      try CheckpointFolder(path: folder.path)
    }
    #expect(
      missing.description
        == "\(folder.path)/model.safetensors.index.json: key \"weight_map\": found shard "
        + "\"model-00002-of-00002.safetensors\" that is not there, "
        + "expected all 2 shards in the folder")
    #expect(missing.exitCode == 65)
  }

  @Test(
    "a broken index is refused",
    arguments: [
      ("[]", "found a list of 0, expected an object"),
      ("{}", "key \"weight_map\": found nothing, expected an object from tensor to file"),
      ("{\"weight_map\":{}}", "key \"weight_map\": found no tensor, expected at least one"),
      (
        "{\"weight_map\":{\"a\":\"../b\"}}",
        "tensor \"a\": found \"../b\", expected the name of a file in the same folder"
      ),
      (
        "{\"weight_map\":{\"a\":\"/etc/passwd\"}}",
        "tensor \"a\": found \"/etc/passwd\", expected the name of a file in the same folder"
      ),
      (
        "{\"weight_map\":{\"a\":3}}",
        "tensor \"a\": found 3, expected the name of a file in the same folder"
      ),
      (
        "{\"weight_map\":{\"a\":\"s\",\"b\":\"s\"}}",
        "tensor \"b\": found file \"s\" without it, expected the file that holds it"
      ),
      ("{\"weight_map\":", "byte 14: found the end of the text, expected a JSON value"),
    ])
  func brokenIndex(text: String, message: String) throws {
    let folder = try TemporaryFolder()
    try tinyConfig().write(to: folder("config.json"))
    try write([TensorDeclaration(name: "a", dtype: .f32, shape: [1])], to: folder("s"))
    let index = try folder.write(text, to: "model.safetensors.index.json")
    let error = try #require(throws: CheckpointError.self) {
      try CheckpointFolder(path: folder.path)
    }
    #expect(error.description == "\(index): \(message)")
    #expect(error.exitCode == 65)
  }

  @Test("what is absent is missing input")
  func absent() throws {
    let folder = try TemporaryFolder()
    func error() throws -> CheckpointError {
      try #require(throws: CheckpointError.self) { try CheckpointFolder(path: folder.path) }
    }
    #expect(try error().exitCode == 66)
    #expect(try error().file == folder.path + "/config.json")
    try tinyConfig().write(to: folder("config.json"))
    #expect(
      try error().description
        == "\(folder.path): found no weights, "
        + "expected model.safetensors or model.safetensors.index.json")
    try folder.write("x", to: "pytorch_model.bin")
    #expect(try error().found == "pytorch_model.bin")
    #expect(try error().exitCode == 66)
    let nowhere = try #require(throws: CheckpointError.self) {
      try CheckpointFolder(path: folder("nowhere"))
    }
    #expect(
      nowhere.description
        == "\(folder("nowhere")): found no such folder, expected a model folder")
    #expect(nowhere.exitCode == 66)
  }

  @Test("the names and shapes of Llama-3.2-1B, as its published index has them")
  func llamaNames() {
    // meta-llama/Llama-3.2-1B: 146 tensors, 1,235,814,400 parameters.
    var config = HFConfig(
      hiddenSize: 2_048, layerCount: 16, headCount: 32, keyValueHeadCount: 8, headDimension: 64,
      intermediateSize: 8_192, vocabularySize: 128_256, maximumPositions: 131_072)
    config.tiesEmbeddings = true
    let tensors = LlamaTensorNames.tensors(of: config, dtype: .bf16)
    #expect(tensors.count == 146)
    #expect(tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } == 1_235_814_400)
    #expect(Set(tensors.map(\.name)).count == 146)
    let layer = LlamaTensorNames.layer(15)
    #expect(layer.inputNorm == "model.layers.15.input_layernorm.weight")
    #expect(layer.postAttentionNorm == "model.layers.15.post_attention_layernorm.weight")
    #expect(layer.weight(.key) == "model.layers.15.self_attn.k_proj.weight")
    #expect(layer.bias(.output) == "model.layers.15.self_attn.o_proj.bias")
    #expect(layer.weight(.down) == "model.layers.15.mlp.down_proj.weight")
  }
}
