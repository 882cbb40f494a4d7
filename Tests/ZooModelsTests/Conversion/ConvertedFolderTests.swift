import AttentionCore
import AttentionZoo
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A converted model that was written and read again is the converted model")
struct ConvertedFolderTests {
  private let pool = WorkerPool(threads: 2)

  /// Writes the source, reads it as a checkpoint, converts it into a folder, and reads that.
  private func roundTrip(
    _ target: String, choice: ConvertedFolder.Choice = .automatic, biases: Bool = false
  ) throws -> (form: ConvertedFolder.Form, read: DecoderModel, converted: DecoderModel) {
    let folder = try TemporaryFolder()
    let source = try ConversionFixture.model("mha@f32", pool: pool)
    let original = biases ? try ConversionFixture.biased(source, sinkLogits: false) : source
    var config = HFConfig(
      hiddenSize: 48, layerCount: 4, headCount: 4, keyValueHeadCount: 4, headDimension: 16,
      intermediateSize: 64, vocabularySize: 40, maximumPositions: 128)
    config.tiesEmbeddings = true
    let variant = try AxisRegistry.standard.variant(target)
    let goal = try ConvertedFolder(
      path: folder("out"), source: original.layerSource, config: config,
      first: original.layers[0], target: variant, options: ConversionOptions(), choice: choice,
      dtype: .f32)
    let converted = try original.converted(
      to: goal.factorised, calibration: ConversionFixture.segments(4), pool: pool
    ).model
    for (index, layer) in converted.layers.enumerated() { try goal.write(layer, index: index) }
    #expect(!FileManager.default.fileExists(atPath: folder("out")), "nothing before it is whole")
    try goal.finish(files: [("conversion.json", Array("{}\n".utf8))])
    #expect(FileManager.default.fileExists(atPath: folder("out/conversion.json")))
    let read = try DecoderModel(
      checkpoint: CheckpointFolder(path: folder("out")), name: "out", format: .float32, pool: pool)
    return (goal.form, read, converted)
  }

  @Test(
    "in the form that fits",
    arguments: [
      ("gqa:2", ConvertedFolder.Form.grouped), ("mqa/swa:16", .grouped), ("mla:24+8", .deepseek),
      ("mla:24+32", .native), ("mla:24+8x4", .native), ("mla:48+16x4", .native),
      ("mla:24+8/cla:2", .native), ("gqa:2/swa:16/sink:4", .native), ("mha/cla:2", .native),
      ("[mla:24+8*2,mla:16+8,gqa:2]", .native), ("mla:24+8/hybrid:1:1:16", .native),
    ])
  func forms(target: String, form: ConvertedFolder.Form) throws {
    let result = try roundTrip(target)
    #expect(result.form == form)
    #expect(result.read.variant.notation == target)
    let error = try ConversionFixture.error(result.read, from: result.converted, pool: pool)
    // The variant says f16 rows; both sides keep them so.
    #expect(error < (form == .deepseek ? 2e-3 : 1e-6), "\(error)")
  }

  @Test("with biases, those of queries included")
  func biased() throws {
    for (target, form) in [
      ("mla:24+8", ConvertedFolder.Form.deepseek), ("mla:24+8x4", .native), ("mha/cla:2", .native),
    ] {
      let result = try roundTrip(target, biases: true)
      #expect(result.form == form)
      #expect(
        try ConversionFixture.error(result.read, from: result.converted, pool: pool)
          < (form == .deepseek ? 2e-3 : 1e-6))
    }
  }

  @Test("what was asked for as published and is not is refused, and nothing is there")
  func refused() throws {
    let error = #expect(throws: CheckpointError.self) {
      try roundTrip("mla:24+8x4", choice: .published)
    }
    #expect("\(try #require(error))".contains("a RoPE slice a key/value head"))
    #expect(try #require(error).exitCode == 65)
    #expect(try roundTrip("mla:24+8", choice: .native).form == .native)
  }

  @Test(
    "a configuration that says it badly is refused with the place",
    arguments: [
      ("3", "attention_zoo: found"), ("{}", "attention_zoo.format"),
      (#"{"format": 2}"#, "attention_zoo.format"),
      (#"{"format": 1, "architecture": "LlamaForCausalLM"}"#, "attention_zoo.variant"),
      (
        #"{"format": 1, "architecture": "LlamaForCausalLM", "variant": "mlx:3"}"#,
        "attention_zoo.variant"
      ),
      (
        #"{"format": 1, "architecture": "LlamaForCausalLM", "variant": "mqa", "#
          + #""rope_frequencies": [[], []]}"#, "attention_zoo.rope_frequencies: found 2 lists"
      ),
      (
        #"{"format": 1, "architecture": "LlamaForCausalLM", "variant": "mqa", "#
          + #""rope_frequencies": [["x"]]}"#, "attention_zoo.rope_frequencies[0]"
      ),
      (
        #"{"format": 1, "architecture": "Unheard", "variant": "mqa", "rope_frequencies": [[]]}"#,
        "Unheard"
      ),
    ])
  func hostile(member: String, expected: String) throws {
    let text = """
      {"architectures": ["AttentionZooForCausalLM"], "model_type": "attention_zoo",
       "hidden_size": 48, "num_hidden_layers": 1, "num_attention_heads": 4, "intermediate_size": 64,
       "vocab_size": 40, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
       "attention_zoo": \(member)}
      """
    let error = #expect(throws: CheckpointError.self) {
      try HFConfig(json: Array(text.utf8), file: "config.json")
    }
    #expect("\(try #require(error))".contains(expected), "\(String(describing: error))")
  }
}
