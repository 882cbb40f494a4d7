import Foundation
import Testing
import ZooModels

/// The text of a small valid configuration after `edits` to its members; an edit to nil takes the key
/// away, others are JSON.
private func configText(_ edits: [String: String?] = [:]) -> String {
  var members: [String: String] = [
    "architectures": "[\"LlamaForCausalLM\"]", "hidden_size": "64", "num_hidden_layers": "3",
    "num_attention_heads": "8", "intermediate_size": "96", "vocab_size": "256",
    "rms_norm_eps": "1e-06",
  ]
  for (key, value) in edits { members[key] = value }
  let body = members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
  return "{\(body.joined(separator: ", "))}"
}

private func config(_ edits: [String: String?] = [:]) throws -> HFConfig {
  try HFConfig(json: Array(configText(edits).utf8), file: "config.json")
}

@Suite("A config.json is read as transformers reads it")
struct HFConfigTests {
  @Test("what is absent has the default of the architecture")
  func defaults() throws {
    let config = try config()
    #expect(config.architecture == .llama)
    #expect(config.keyValueHeadCount == 8)
    #expect(config.headDimension == 8)
    #expect(config.rmsNormEpsilon == 1e-6)
    #expect(config.rope == HFRope(theta: 10_000))
    #expect(config.maximumPositions == 2_048)
    #expect(!config.tiesEmbeddings && !config.hasAttentionBias && !config.hasMLPBias)
    #expect(config.slidingWindow == nil && config.keyValueLatentRank == nil)
    #expect(config.endTokenIDs.isEmpty && config.beginTokenID == nil)
  }

  @Test("what is there counts")
  func explicit() throws {
    let config = try config([
      "num_key_value_heads": "2", "head_dim": "24", "tie_word_embeddings": "true",
      "rope_theta": "500000", "max_position_embeddings": "131072", "attention_bias": "true",
      "mlp_bias": "true", "hidden_act": "\"silu\"", "kv_lora_rank": "32", "q_lora_rank": "48",
      "qk_rope_head_dim": "16", "qk_nope_head_dim": "8", "v_head_dim": "12",
      "bos_token_id": "1", "eos_token_id": "[2, 3]", "torch_dtype": "\"bfloat16\"",
      "rope_scaling": "null", "unknown_key": "{\"x\": [1, 2.5, null, \"\\u00e9\\ud83d\\ude00\"]}",
    ])
    #expect(config.keyValueHeadCount == 2 && config.headDimension == 24)
    #expect(config.tiesEmbeddings && config.hasAttentionBias && config.hasMLPBias)
    #expect(config.rope.theta == 500_000 && config.maximumPositions == 131_072)
    #expect(config.keyValueLatentRank == 32 && config.queryLatentRank == 48)
    #expect(config.ropeHeadDimension == 16 && config.nopeHeadDimension == 8)
    #expect(config.valueHeadDimension == 12)
    #expect(config.beginTokenID == 1 && config.endTokenIDs == [2, 3])
    #expect(config.dtypeName == "bfloat16")
  }

  @Test("RoPE is read from the newer and the older form")
  func rope() throws {
    let newer = try config([
      "rope_parameters": "{\"rope_theta\": 5e5, \"rope_type\": \"default\"}"
    ])
    #expect(newer.rope == HFRope(theta: 500_000))
    let both = try config([
      "rope_theta": "10000.0", "rope_parameters": "{\"rope_theta\": 5e5}", "rope_scaling": "null",
    ])
    #expect(both.rope == HFRope(theta: 500_000))
    // A rope_scaling that says anything comes before rope_parameters.
    let older = try config([
      "rope_theta": "20000.0", "rope_parameters": "{\"rope_theta\": 5e5}",
      "rope_scaling": "{\"type\": \"linear\", \"factor\": 2}",
    ])
    #expect(older.rope.theta == 20_000 && older.rope.type == "linear" && older.rope.factor == 2)
  }

  @Test("the sliding window belongs to Mistral")
  func slidingWindow() throws {
    let mistral = "[\"MistralForCausalLM\"]"
    #expect(try config(["sliding_window": "16"]).slidingWindow == nil)
    #expect(try config(["architectures": mistral]).slidingWindow == 4_096)
    #expect(
      try config(["architectures": mistral, "sliding_window": "null"]).slidingWindow == nil)
    #expect(try config(["architectures": mistral, "sliding_window": "16"]).slidingWindow == 16)
    #expect(
      try config(["architectures": nil, "model_type": "\"mistral\""]).architecture == .mistral)
  }

  @Test("reading what was written gives an equal configuration")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    var config = try config(["num_key_value_heads": "4", "head_dim": "10"])
    for step in 0..<4 {
      try config.write(to: folder("config.json"))
      #expect(try HFConfig(path: folder("config.json")) == config)
      #expect(try folder.contents == ["config.json"])
      switch step {
      case 0:
        config.architecture = .mistral
        config.slidingWindow = 100
        config.rope.theta = 1e6
      case 1:
        config.slidingWindow = nil
        config.endTokenIDs = [7]
        config.dtypeName = "float32"
      default:
        config.keyValueLatentRank = 32
        config.ropeHeadDimension = 4
        config.endTokenIDs = [7, 9]
        config.beginTokenID = 0
        config.rmsNormEpsilon = 0.1
      }
    }
    let keys = config.json.split(separator: "\n").filter { $0.hasPrefix("  \"") }
    #expect(keys == keys.sorted())
  }

  @Test(
    "a configuration that cannot be used is refused, with file and key",
    arguments: [
      (
        ["hidden_size": nil],
        "key \"hidden_size\": found nothing, expected an integer from 1 to 1048576"
      ),
      (
        ["num_hidden_layers": nil],
        "key \"num_hidden_layers\": found nothing, expected an integer from 1 to 10000"
      ),
      (
        ["num_attention_heads": "null"],
        "key \"num_attention_heads\": found null, expected an integer from 1 to 4096"
      ),
      (
        ["intermediate_size": "\"96\""],
        "key \"intermediate_size\": found \"96\", expected an integer from 1 to 1048576"
      ),
      (["vocab_size": "0"], "key \"vocab_size\": found 0, expected an integer from 1 to 16777216"),
      (
        ["vocab_size": "99999999999999999999"],
        "key \"vocab_size\": found 1e+20, expected an integer from 1 to 16777216"
      ),
      (
        ["hidden_size": "64.0"],
        "key \"hidden_size\": found 64.0, expected an integer from 1 to 1048576"
      ),
      (["rms_norm_eps": nil], "key \"rms_norm_eps\": found nothing, expected a number above 0"),
      (["rms_norm_eps": "-1"], "key \"rms_norm_eps\": found -1, expected a number above 0"),
      (
        ["num_key_value_heads": "3"],
        "key \"num_key_value_heads\": found 3, expected a divisor of the 8 attention heads"
      ),
      (
        ["hidden_size": "65"],
        "key \"head_dim\": found nothing, "
          + "expected a width, since 8 heads do not divide hidden_size 65"
      ),
      (
        ["head_dim": "7"],
        "key \"head_dim\": found 7, expected an even number, since RoPE turns pairs"
      ),
      (
        ["tie_word_embeddings": "1"],
        "key \"tie_word_embeddings\": found 1, expected true or false"
      ),
      (
        ["architectures": nil],
        "key \"architectures\": found nothing, expected a list of class names"
      ),
      (
        ["architectures": "[]"],
        "key \"architectures\": found a list of 0, expected a list that starts with a class name"
      ),
      (
        ["architectures": "[\"MambaForCausalLM\"]"],
        "key \"architectures\": not supported yet: \"MambaForCausalLM\", "
          + "expected one of " + HFArchitecture.known.map(\.name).joined(separator: ", ")
      ),
      (
        ["architectures": nil, "model_type": "\"mamba\""],
        "key \"model_type\": not supported yet: \"mamba\", expected one of "
          + HFArchitecture.known.map(\.modelType).joined(separator: ", ")
      ),
      (
        ["hidden_act": "\"gelu\""],
        "key \"hidden_act\": not supported yet: \"gelu\", expected \"silu\""
      ),
      (
        ["rope_scaling": "{\"rope_type\": \"longrope\", \"factor\": 32.0}"],
        "key \"rope_scaling.rope_type\": not supported yet: RoPE type \"longrope\", "
          + "expected one of default, linear, dynamic, llama3, yarn"
      ),
      (
        ["rope_scaling": "{\"type\": \"mrope\", \"factor\": 2}"],
        "key \"rope_scaling.type\": not supported yet: RoPE type \"mrope\", "
          + "expected one of default, linear, dynamic, llama3, yarn"
      ),
      (
        ["rope_scaling": "{\"type\": \"linear\"}"],
        "key \"rope_scaling.factor\": found nothing, expected a number above 0"
      ),
      (
        ["rope_scaling": "{\"rope_type\": \"llama3\", \"factor\": 32.0}"],
        "key \"rope_scaling.low_freq_factor\": found nothing, expected a number above 0"
      ),
      (
        ["rope_parameters": "{\"rope_type\": \"yarn\", \"beta_fast\": -2}"],
        "key \"rope_parameters.beta_fast\": found -2.0, expected a number above 0"
      ),
      (
        ["rope_parameters": "{\"full_attention\": {\"rope_theta\": 1e4}}"],
        "key \"rope_parameters.full_attention\": not supported yet: RoPE for one kind of layer, "
          + "expected one RoPE for all layers"
      ),
      (
        ["rope_scaling": "{\"factor\": 2}"],
        "key \"rope_scaling.rope_type\": found nothing beside factor 2, expected a RoPE type"
      ),
      (["rope_theta": "0"], "key \"rope_theta\": found 0, expected a number above 0"),
      (["rope_theta": "\"1e4\""], "key \"rope_theta\": found \"1e4\", expected a number above 0"),
      (["rope_scaling": "8"], "key \"rope_scaling\": found 8, expected an object"),
      (
        ["quantization_config": "{\"quant_method\": \"gptq\"}"],
        "key \"quantization_config.quant_method\": not supported yet: \"gptq\", "
          + "expected weights in full precision, or one of fp8, mxfp4"
      ),
      (["eos_token_id": "\"</s>\""], "key \"eos_token_id\": found \"</s>\", expected token ids"),
    ] as [([String: String?], String)])
  func refused(edits: [String: String?], message: String) throws {
    let error = try #require(throws: CheckpointError.self) { try config(edits) }
    #expect(error.description == "config.json: \(message)")
    #expect(error.exitCode == 65)
  }

  @Test("a file that is absent or not JSON is named")
  func unreadable() throws {
    let folder = try TemporaryFolder()
    let path = folder("config.json")
    let absent = try #require(throws: CheckpointError.self) { try HFConfig(path: path) }
    #expect(absent.description == "\(path): found no such file, expected a readable file")
    #expect(absent.exitCode == 66)
    for (text, message) in [
      ("", "byte 0: found the end of the text, expected a JSON value"),
      ("[1]", "found a list of 1, expected an object"),
      ("{\"a\": tru}", "byte 9: found \"}\", expected true"),
      ("{\"a\": 1,}", "byte 8: found \"}\", expected a key in quotation marks"),
    ] {
      try folder.write(text, to: "config.json")
      let error = try #require(throws: CheckpointError.self) { try HFConfig(path: path) }
      #expect(error.description == "\(path): \(message)")
      #expect(error.exitCode == 65)
    }
  }
}
