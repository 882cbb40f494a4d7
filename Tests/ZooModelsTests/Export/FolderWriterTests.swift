import AttentionCore
import AttentionZoo
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A written folder is whole or not there, and reads back as the model")
struct FolderWriterTests {
  @Test(
    "grouped heads and windows, tied or not, in any element type that holds them",
    arguments: ["mha@f32", "gqa:2@f32", "mqa@f32", "gqa:2/swa:8@f32"], [true, false])
  func grouped(notation: String, tied: Bool) throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model(notation, tied: tied)
    try model.write(to: folder("out"))
    let checkpoint = try CheckpointFolder(path: folder("out"))
    #expect(checkpoint.config.slidingWindow == (notation.contains("swa") ? 8 : nil))
    let read = try DecoderModel(checkpoint: checkpoint, name: "read", pool: ExportSupport.pool)
    #expect(read.layouts.map(\.shape) == model.layouts.map(\.shape))
    #expect(read.layouts.map(\.reach) == model.layouts.map(\.reach))
    #expect(try ExportSupport.logits(read) == ExportSupport.logits(model))
    #expect(try folder.contents == ["out"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder("out")).sorted()
        == ["config.json", "model.safetensors"])
  }

  @Test("the element type that is asked for, rounded to the nearest")
  func elementTypes() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("gqa:2@f32")
    for (dtype, format) in [(TensorDType.bf16, WeightFormat.bfloat16), (.f16, .float16)] {
      try model.write(to: folder(dtype.rawValue), options: ExportOptions(dtype: dtype))
      let checkpoint = try CheckpointFolder(path: folder(dtype.rawValue))
      #expect(checkpoint.config.dtypeName == dtype.torchName)
      let name = "model.layers.1.self_attn.q_proj.weight"
      #expect(try checkpoint.tensor(named: name).dtype == dtype)
      let attention = try #require(model.layers[1].attention as? MultiHeadAttention)
      var wanted = [Float](repeating: 0, count: 64 * 48)
      attention.query.weight.decodeRows(0..<64, to: &wanted)
      let rounded = try #require(format.half)
      #expect(try checkpoint.floats(named: name) == wanted.map { rounded.rounded($0) })
    }
  }

  @Test("shards no larger than asked for, with an index, hold the same tensors")
  func shards() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("gqa:2@f32")
    let limit = 20_000
    try model.write(to: folder("one"))
    try model.write(to: folder("many"), options: ExportOptions(shardBytes: limit))
    let one = try CheckpointFolder(path: folder("one"))
    let many = try CheckpointFolder(path: folder("many"))
    #expect(many.names == one.names && many.tensors.shards.count > 3)
    for name in one.names {
      #expect(try many.floats(named: name) == one.floats(named: name))
    }
    for shard in many.tensors.shards {
      let bytes = try shard.names.reduce(0) { $0 + (try shard.tensor(named: $1).byteCount) }
      #expect(bytes <= limit || shard.names.count == 1)
      #expect(shard.metadata == ["format": "pt"])
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder("many"))
    #expect(many.tensors.shards.count == 17)
    #expect(names.contains("model-00001-of-00017.safetensors"), "\(names)")
  }

  @Test("a folder that holds something is refused and left as it is; an empty one is filled")
  func occupied() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mha@f32")
    try FileManager.default.createDirectory(
      atPath: folder("out"), withIntermediateDirectories: false)
    try model.write(to: folder("out"))
    let before = try FileManager.default.contentsOfDirectory(atPath: folder("out")).sorted()
    let refusal = #expect(throws: CheckpointError.self) { try model.write(to: folder("out")) }
    #expect(refusal?.exitCode == 65)
    #expect(
      refusal?.description == "\(folder("out")): found a folder that holds 2 files, "
        + "expected a folder that is empty or not there yet")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder("out")).sorted() == before)
    try folder.write("x", to: "file")
    #expect(throws: CheckpointError.self) { try model.write(to: folder("file")) }
    let nowhere = #expect(throws: CheckpointError.self) {
      try model.write(to: folder("no/such/place"))
    }
    #expect(nowhere?.exitCode == 73)
    #expect(try folder.contents == ["file", "out"])
  }

  @Test("NaN, a value out of range, or a part left out: one line, and nothing is there")
  func nothingHalfWritten() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mha@f32")
    var bad = model.layers
    bad[1].mlpNorm[7] = .nan
    let nan = #expect(throws: CheckpointError.self) {
      try ExportSupport.with(model, layers: bad).write(to: folder("nan"))
    }
    #expect(nan?.exitCode == 65)
    #expect(
      nan?.description.contains(
        "tensor \"model.layers.1.post_attention_layernorm.weight\", index [7]") == true)
    bad[1].mlpNorm[7] = 1e6
    let large = #expect(throws: CheckpointError.self) {
      try ExportSupport.with(model, layers: bad).write(
        to: folder("large"), options: ExportOptions(dtype: .f16))
    }
    #expect(large?.exitCode == 65)
    do {
      let writer = try CheckpointFolderWriter(
        path: folder("part"), config: try model.exportConfig(), dtype: .f32)
      try writer.write(embedding: model.embedding)
      try writer.write(layer: model.layers[0], index: 0)
      #expect(throws: CheckpointError.self) { try writer.write(layer: model.layers[0], index: 0) }
      #expect(throws: CheckpointError.self) { try writer.add(file: "../x", contents: []) }
      #expect(throws: CheckpointError.self) { try writer.add(file: "config.json", contents: []) }
      let missing = #expect(throws: CheckpointError.self) { try writer.finish() }
      #expect(missing?.description.contains("layer(1) left out") == true)
    }
    #expect(try folder.contents == [])
  }

  @Test("files beside the weights come along")
  func otherFiles() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mha@f32")
    let writer = try CheckpointFolderWriter(
      path: folder("out"), config: try model.exportConfig(), dtype: .f32)
    try writer.add(file: "conversion.json", contents: Array("{}".utf8))
    try writer.write(finalNorm: model.finalNorm, head: model.head)
    for index in [2, 0, 1] { try writer.write(layer: model.layers[index], index: index) }
    try writer.write(embedding: model.embedding)
    #expect(try folder.contents.allSatisfy { $0.contains("partial") })
    try writer.finish()
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder("out")).sorted()
        == ["config.json", "conversion.json", "model.safetensors"])
    let read = try DecoderModel(
      checkpoint: try CheckpointFolder(path: folder("out")), name: "read",
      pool: ExportSupport.pool)
    #expect(try ExportSupport.logits(read) == ExportSupport.logits(model))
  }

  @Test(
    "what no published architecture expresses is refused in one line",
    arguments: [
      ("gqa:2/cla:2@f32", "reads the rows of layer 0"), ("mha/swa:8/sink:2@f32", "sink tokens"),
      ("[gqa:2@f32*2,mqa@f32]", "1 key/value heads, expected 2 in every layer"),
      ("mla:16+8x4@f32", "one shared slice, as in mla:R+P"),
      ("mla:16+8/swa:8@f32", "latent attention with a window"),
      ("mla:16+8/cla:2@f32", "reads the rows of layer 0"),
      ("[mla:16+8@f32*2,mha@f32]", "grouped heads for DeepseekV3ForCausalLM"),
    ])
  func refusals(notation: String, reason: String) throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model(notation)
    let refusal = #expect(throws: CheckpointError.self) { try model.write(to: folder("out")) }
    let text = refusal?.description ?? ""
    #expect(text.contains(reason) && !text.contains("\n"), "\(text)")
    #expect(refusal?.exitCode == 65)
    #expect(try folder.contents == [])
  }

  @Test("frequencies that no configuration has, and float16 for a constant channel, are refused")
  func latentRefusals() throws {
    let folder = try TemporaryFolder()
    let model = try ExportSupport.model("mla:16+8@f32")
    let narrow = #expect(throws: CheckpointError.self) {
      try model.write(to: folder("out"), options: ExportOptions(dtype: .f16))
    }
    #expect(narrow?.description.contains("expected BF16 or F32") == true)
    let source = try ExportSupport.model("mha@f32")
    let converted = try source.converted(to: try AxisRegistry.standard.variant("mla:16+8@f32"))
    let refusal = #expect(throws: CheckpointError.self) { try converted.write(to: folder("out")) }
    #expect(refusal?.description.contains("every c-th frequency of the source") == true)
    #expect(try folder.contents == [])
  }
}
