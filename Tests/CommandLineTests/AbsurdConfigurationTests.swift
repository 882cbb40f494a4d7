import Foundation
import Testing

@Suite("A configuration that no model has is bad data of its file, whatever the command")
struct AbsurdConfigurationTests {
  private static let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("../Fixtures/Transformers").standardizedFileURL.path

  /// A copy of a fixture with members of its `config.json` replaced.
  private func edited(
    _ name: String, in folder: TemporaryFolder, _ change: (inout [String: Any]) -> Void
  ) throws -> String {
    let path = folder(name)
    try? FileManager.default.removeItem(atPath: path)
    try FileManager.default.copyItem(atPath: Self.fixtures + "/" + name, toPath: path)
    let file = URL(fileURLWithPath: path + "/config.json")
    var config = try #require(
      try JSONSerialization.jsonObject(with: try Data(contentsOf: file)) as? [String: Any])
    change(&config)
    try JSONSerialization.data(withJSONObject: config).write(to: file)
    return path
  }

  /// Every command that reads a folder.
  private func commands(_ path: String, _ folder: TemporaryFolder) -> [[String]] {
    [
      ["inspect", path], ["list", "--geometry", path],
      ["bench", "--geometry", path, "--variants", "mha", "--output", folder("rows")],
      ["bench", "--model", path, "--variants", "own", "--output", folder("rows")],
      ["max-batch", "--geometry", path, "--variants", "mha", "--budget", "1GiB"],
      ["plan", "--geometry", path, "--variants", "mha"],
      ["eval", path, "--tokens", "ids.npy"], ["generate", "--model", path, "--prompt", "a"],
      ["logits", path, "--tokens", "1", "--out", folder("logits")],
      ["convert", path, "--to", "mqa", "--out", folder("out")],
    ]
  }

  struct Size: Sendable {
    let fixture: String
    let key: String
    let value: Int
  }

  private static let sizes: [Size] = [
    Size(fixture: "llama", key: "num_hidden_layers", value: 10_001),
    Size(fixture: "llama", key: "num_hidden_layers", value: 0),
    Size(fixture: "llama", key: "num_attention_heads", value: 4_097),
    Size(fixture: "llama", key: "num_attention_heads", value: .max),
    Size(fixture: "llama", key: "num_key_value_heads", value: 8_194),
    Size(fixture: "llama", key: "head_dim", value: 65_538),
    Size(fixture: "llama", key: "hidden_size", value: 1 << 21),
    Size(fixture: "llama", key: "intermediate_size", value: 1 << 40),
    Size(fixture: "llama", key: "vocab_size", value: 1 << 25),
    Size(fixture: "llama", key: "max_position_embeddings", value: -1),
    Size(fixture: "mistral-window", key: "sliding_window", value: 1 << 40),
    Size(fixture: "mixtral", key: "num_local_experts", value: 1 << 40),
    Size(fixture: "deepseek-v3", key: "kv_lora_rank", value: 65_537),
    Size(fixture: "deepseek-v3", key: "qk_nope_head_dim", value: 1 << 20),
    Size(fixture: "deepseek-v3", key: "qk_rope_head_dim", value: 65_538),
    Size(fixture: "deepseek-v3", key: "v_head_dim", value: 1 << 20),
    Size(fixture: "deepseek-v3", key: "q_lora_rank", value: 1 << 21),
  ]

  @Test("sizes past any model, and sizes that are none", arguments: sizes)
  func size(_ size: Size) throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let path = try edited(size.fixture, in: folder) { $0[size.key] = size.value }
    for command in commands(path, folder) {
      try program.refuses(command, 65, path + "/config.json", size.key)
    }
    #expect(try folder.contents == [size.fixture])
  }

  @Test("a recorded variant that does not fit the model, and one that is none")
  func recordedVariant() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    for (variant, place, reason) in [
      ("gqa:3", "variant", "expected a divisor of 5"), ("[mha*2,mqa*2]", "variant", "layers"),
      ("mla:16+8x3", "variant", "expected a divisor of 5"), ("nonsense", "variant", "nonsense"),
      ("mla:16+8", "rope_frequencies[0]", "found 0 numbers, expected 4"),
    ] {
      let path = try edited("llama", in: folder) { config in
        config["architectures"] = ["AttentionZooForCausalLM"]
        config["attention_zoo"] = [
          "format": 1, "architecture": "LlamaForCausalLM", "variant": variant,
          "rope_frequencies": [[Double]](repeating: [], count: 3),
        ]
      }
      for command in commands(path, folder) {
        try program.refuses(
          command, 65, path + "/config.json", "attention_zoo.\(place)", reason)
      }
    }
    #expect(try folder.contents == ["llama"])
  }
}
