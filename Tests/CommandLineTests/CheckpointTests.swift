import Foundation
import Testing
import ZooModels
import ZooRecords

/// A byte-level checkpoint of two small layers, whole unless a test breaks it.
private func writeCheckpoint(
  to folder: TemporaryFolder,
  value: (_ tensor: String, _ index: Int) -> Float = { _, index in Float(index % 7) / 64 }
) throws {
  let config = HFConfig(
    hiddenSize: 16, layerCount: 2, headCount: 2, keyValueHeadCount: 1, intermediateSize: 24,
    vocabularySize: 256, maximumPositions: 1024)
  try config.write(to: folder("config.json"))
  let tensors = LlamaTensorNames.tensors(of: config, dtype: .f32)
  let writer = try SafetensorsWriter(path: folder("model.safetensors"), tensors: tensors)
  for tensor in tensors {
    let count = tensor.shape.reduce(1, *)
    try writer.append((0..<count).map { value(tensor.name, $0) }, to: tensor.name)
  }
  try writer.finish()
}

/// A safetensors file of `header` and so many zero bytes.
private func safetensors(_ header: String, data: Int) -> [UInt8] {
  length(UInt64(header.utf8.count)) + Array(header.utf8) + [UInt8](repeating: 0, count: data)
}

/// The first eight bytes of a safetensors file.
private func length(_ count: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * UInt64($0))) }
}

@Suite("A checkpoint that cannot be trusted is refused by one line")
struct CheckpointTests {
  /// Weights that are no weights, and what is said of them.
  static let weights: [(bytes: [UInt8], expected: String)] = [
    ([], "header length"),
    (length(100) + Array("{}".utf8), "header length"),
    (length(1 << 34), "header length: found 17179869184 bytes"),
    (length(.max), "header length"),
    (safetensors("{\"a\":", data: 0), "header"),
    (
      safetensors(
        #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"#
          + #""b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#, data: 12), "overlapping"
    ),
    (
      safetensors(#"{"a":{"dtype":"F33","shape":[2],"data_offsets":[0,8]}}"#, data: 8),
      "found \"F33\""
    ),
    (
      safetensors(#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, data: 8),
      "model.embed_tokens.weight"
    ),
  ]

  @Test("hostile weights", arguments: weights.indices)
  func hostileWeights(_ index: Int) throws {
    let (bytes, expected) = Self.weights[index]
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeCheckpoint(to: folder)
    try folder.write(bytes, to: "model.safetensors")
    let path = folder("model.safetensors")
    try program.refuses(
      ["eval", "--model", folder.path, "--rows", folder("eval.jsonl")], 65, path, expected)
    try program.refuses(
      ["generate", "--model", folder.path, "--prompt", "a", "--tokens", "1"], 65, path, expected)
    // The file of rows may have been opened; no row is in it.
    #expect((try? folder.bytes(of: "eval.jsonl")) ?? [] == [])
  }

  @Test("weights cut short, a wrong element type, NaN and infinity")
  func damagedWeights() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let path = folder("model.safetensors")
    let generate = ["generate", "--model", folder.path, "--prompt", "a", "--tokens", "4"]
    let eval = ["eval", "--model", folder.path, "--rows", folder("eval.jsonl")]

    try writeCheckpoint(to: folder)
    #expect(try program.run(generate).code == 0)
    let whole = try folder.bytes(of: "model.safetensors")
    for count in [whole.count - 1, whole.count / 2, 100, 8, 7] {
      try folder.write(Array(whole.prefix(count)), to: "model.safetensors")
      try program.refuses(generate, 65, path, "expected")
    }
    let integers =
      #"{"model.embed_tokens.weight":"#
      + #"{"dtype":"I64","shape":[256,16],"data_offsets":[0,32768]}}"#
    try folder.write(safetensors(integers, data: 32_768), to: "model.safetensors")
    try program.refuses(eval, 65, path, "model.embed_tokens.weight", "I64")
    for bad in [Float.nan, .infinity] {
      try writeCheckpoint(to: folder) { name, index in
        name.hasSuffix("1.mlp.down_proj.weight") && index == 30 ? bad : 0.01
      }
      try program.refuses(eval, 65, path, "model.layers.1.mlp.down_proj.weight[1, 6]")
      try writeCheckpoint(to: folder) { name, index in
        name == "model.norm.weight" && index == 3 ? bad : 0.01
      }
      try program.refuses(generate, 65, path, "model.norm.weight")
    }
  }

  @Test(
    "a configuration without a needed key",
    arguments: ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size"])
  func configWithoutKey(_ key: String) throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeCheckpoint(to: folder)
    let data = Data(try folder.bytes(of: "config.json"))
    var config = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    config[key] = nil
    try folder.write(
      Array(try JSONSerialization.data(withJSONObject: config)), to: "config.json")
    for command in [["inspect", folder.path], ["eval", "--model", folder.path]] {
      try program.refuses(command, 65, folder("config.json"), key)
    }
  }

  @Test("configurations that are no configuration")
  func brokenConfig() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeCheckpoint(to: folder)
    for text in ["", "[]", "{\"hidden_size\":", "{\"hidden_size\": -1}", "nonsense"] {
      try folder.write(text, to: "config.json")
      try program.refuses(["inspect", folder.path], 65, folder("config.json"))
    }
    try FileManager.default.removeItem(atPath: folder("config.json"))
    try program.refuses(["inspect", folder.path], 66, folder("config.json"))
  }

  @Test("a sound checkpoint is shown, scored and continued")
  func soundCheckpoint() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeCheckpoint(to: folder)
    let inspected = try program.run("inspect", folder.path, "--format", "csv")
    #expect(inspected.code == 0)
    #expect(inspected.lines.count == 3)
    // A folder needs no slash where no variant or preset has its name.
    let name = URL(fileURLWithPath: folder.path).lastPathComponent
    var above = program
    above.folder = URL(fileURLWithPath: folder.path).deletingLastPathComponent().path
    #expect(try above.run("inspect", name, "--format", "csv").output == inspected.output)
    #expect(try above.run("list", "--geometry", name).code == 0)
    let scored = try program.run(
      "eval", "--model", folder.path, "--segments", "1", "--rows", folder("eval.jsonl"))
    #expect(scored.code == 0, Comment(rawValue: scored.errors))
    // Its own variant, and nothing that had to be converted.
    let row = try #require(try RowFile(path: folder("eval.jsonl")).rows.first)
    #expect(row.variant == "mqa")
    #expect(row.status == .ok)
    let fidelity = try #require(row.fidelity)
    let original = try #require(fidelity.referenceBitsPerByte)
    #expect(abs(try #require(fidelity.bitsPerByte) - original) < 1e-4)
  }

  @Test("a folder that is not there, and a file in its place, are missing input")
  func missing() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write("x", to: "file")
    for path in [folder("absent"), folder("file")] {
      try program.refuses(["inspect", path], 66, path)
      try program.refuses(["eval", "--model", path], 66, path)
      try program.refuses(["generate", "--model", path, "--prompt", "a"], 66, path)
      try program.refuses(["bench", "--geometry", path, "--variants", "mha"], 66, path)
    }
    #expect(try folder.contents == ["file"])
  }

  @Test("a text that is empty, too short or not there")
  func texts() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write("", to: "empty.txt")
    try folder.write(String(repeating: "a", count: 1023), to: "short.txt")
    try program.refuses(["eval", "--text", "empty.txt"], 65, "empty.txt", "empty text")
    try program.refuses(["eval", "--text", "short.txt"], 65, "short.txt: 1023 bytes", "1024")
    try program.refuses(["eval", "--text", "absent.txt"], 66, "absent.txt")
    try program.refuses(["eval", "--segments", "0"], 64, "segments")
  }

  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/Transformers").standardizedFileURL.path

  /// A copy of a fixture, to be broken.
  private func copy(_ name: String, to folder: TemporaryFolder) throws -> String {
    let target = folder(name)
    try FileManager.default.copyItem(atPath: Self.fixtures + "/" + name, toPath: target)
    return target
  }

  @Test(
    "inspect shows the variant, the parameters and the layers of other architectures",
    arguments: [
      ("gemma3", ["mqa/hybrid:5:1:12 on gemma3", "Gemma3ForCausalLM", "1,000,000 linear ×8"]),
      (
        "deepseek-v3",
        [
          "mla:16+8 on deepseek-v3", "d_n 12, d_r 8, d_v 10, rank 16", "used by a token",
          "3 of 8 × 12 + 12",
        ]
      ),
      ("gpt-oss-mxfp4", ["mqa/hybrid:1:1:10", "experts in MXFP4", "2 of 3 × 32"]),
      ("llama-linear-shards", ["mha on", "8 files"]),
    ])
  func inspectsFixture(name: String, expected: [String]) throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let path = Self.fixtures + "/" + name
    let result = try program.run("inspect", path)
    #expect(result.code == 0, Comment(rawValue: result.errors))
    for text in expected {
      #expect(result.text.contains(text), Comment(rawValue: result.text))
    }
    #expect(!result.text.contains("expected from the configuration"))
    let count = try CheckpointFolder(path: path).parameterCount
    #expect(
      result.text.replacingOccurrences(of: ",", with: "").contains("\(count) parameters in"))
  }

  @Test("what is wrong with a checkpoint of any architecture is one line")
  func brokenFixtures() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    func logits(_ path: String) -> [String] {
      ["logits", path, "--tokens", "1,2,3", "--out", folder("logits.safetensors")]
    }
    // A missing shard, and one that was cut short while it was downloaded.
    let shards = try copy("llama-linear-shards", to: folder)
    #expect(try program.run(logits(shards)).code == 0)
    try FileManager.default.removeItem(atPath: folder("logits.safetensors"))
    let last = "model-00008-of-00008.safetensors"
    let whole = try Data(contentsOf: URL(fileURLWithPath: shards + "/" + last))
    try whole.prefix(whole.count - 5).write(to: URL(fileURLWithPath: shards + "/" + last))
    try program.refuses(logits(shards), 65, shards + "/" + last, "expected")
    try FileManager.default.removeItem(atPath: shards + "/" + last)
    try program.refuses(logits(shards), 65, last, "that is not there")

    func edited(_ name: String, _ from: String, _ to: String) throws -> String {
      let path = folder("edited-" + name + UUID().uuidString)
      try FileManager.default.copyItem(atPath: Self.fixtures + "/" + name, toPath: path)
      let config = path + "/config.json"
      let text = try String(contentsOfFile: config, encoding: .utf8)
      let changed = text.replacingOccurrences(of: from, with: to)
      #expect(changed != text)
      try changed.write(toFile: config, atomically: true, encoding: .utf8)
      return path
    }
    for (name, from, to, words) in [
      ("llama", "LlamaForCausalLM", "FalconForCausalLM", ["Falcon", "LlamaForCausalLM", "GptOss"]),
      ("llama-yarn", "\"yarn\"", "\"longrope\"", ["longrope", "llama3, yarn"]),
      ("mixtral", "\"num_local_experts\": 5", "\"num_local_experts\": 6", ["experts.5."]),
      ("deepseek-v3", "\"kv_lora_rank\": 16", "\"kv_lora_rank\": 18", ["kv_a", "18"]),
      ("deepseek-v3-fp8", "\"fp8\"", "\"awq\"", ["awq", "fp8, mxfp4"]),
      ("gpt-oss", "\"sliding_attention\"", "\"chunked_attention\"", ["chunked_attention"]),
    ] {
      let path = try edited(name, from, to)
      for word in words { try program.refuses(logits(path), 65, word) }
    }
    #expect(!FileManager.default.fileExists(atPath: folder("logits.safetensors")))
    try program.refuses(["logits", shards, "--tokens", "1,x", "--out", folder("l")], 64, "x")
    try program.refuses(
      ["logits", Self.fixtures + "/llama", "--tokens", "1,61", "--out", folder("l")], 65, "61")
    try program.refuses(
      ["logits", Self.fixtures + "/llama", "--tokens", "1", "--out", "/nowhere/l"], 73, "/nowhere")
  }

  @Test("NaN in decoded weights is found where it lies")
  func decodedNaN() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    func poison(_ name: String, tensor: String, byte: UInt8) throws -> String {
      let path = try copy(name, to: folder)
      let file = URL(fileURLWithPath: path + "/model.safetensors")
      var data = try Data(contentsOf: file)
      let length = data.prefix(8).withUnsafeBytes { Int($0.loadUnaligned(as: UInt64.self)) }
      let header = try #require(
        try JSONSerialization.jsonObject(with: data[8..<8 + length]) as? [String: Any])
      let entry = try #require(header[tensor] as? [String: Any])
      let offsets = try #require(entry["data_offsets"] as? [Int])
      data[8 + length + offsets[0] + 3] = byte
      try data.write(to: file)
      return path
    }
    // All ones: NaN as E4M3, and as a power of two.
    for (name, tensor) in [
      ("deepseek-v3-fp8", "model.layers.0.self_attn.o_proj.weight"),
      ("deepseek-v3-fp8", "model.layers.1.self_attn.kv_b_proj.weight"),
      ("gpt-oss-mxfp4", "model.layers.1.mlp.experts.down_proj_scales"),
    ] {
      let inner = try TemporaryFolder()
      let path = try poison(name, tensor: tensor, byte: 0xff)
      defer { try? FileManager.default.removeItem(atPath: path) }
      let stem = tensor.replacingOccurrences(of: "_scales", with: "")
      try program.refuses(
        ["logits", path, "--tokens", "1", "--out", inner("l")], 65, "model.safetensors", stem,
        "NaN or infinity")
    }
  }
}
