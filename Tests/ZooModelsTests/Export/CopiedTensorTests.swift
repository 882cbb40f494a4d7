import AttentionCore
import AttentionZoo
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A grouped variant of a checkpoint is that checkpoint but for keys, values and windows")
struct CopiedTensorTests {
  private static let fixtures = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().appendingPathComponent("../../Fixtures/Transformers")
    .standardizedFileURL.path

  private func read(_ path: String) throws -> DecoderModel {
    try DecoderModel(
      checkpoint: try CheckpointFolder(path: path), name: "read", pool: ExportSupport.pool)
  }

  /// Writes `model`, a variant of the checkpoint, beside what is copied from the checkpoint.
  private func write(
    _ model: DecoderModel, of source: CheckpointFolder, to path: String,
    dtype: TensorDType? = nil
  ) throws {
    let writer = try CheckpointFolderWriter(
      path: path, config: try HFConfig.grouped(for: source.config, layouts: model.layouts),
      dtype: dtype, copying: source)
    try writer.write(embedding: model.embedding)
    for (index, layer) in model.layers.enumerated() { try writer.write(layer: layer, index: index) }
    try writer.write(
      finalNorm: model.finalNorm, head: model.head.weight === model.embedding ? nil : model.head)
    try writer.finish()
  }

  @Test(
    "of every architecture with grouped heads, mixtures of experts and packed ones included",
    arguments: [
      "llama", "llama-biases-tied-llama3", "llama-yarn", "mistral-window", "qwen2-late-windows",
      "qwen3-yarn", "gemma2", "gemma3", "mixtral", "qwen2-moe", "qwen3-moe", "gpt-oss",
      "gpt-oss-mxfp4",
    ])
  func pooled(name: String) throws {
    let folder = try TemporaryFolder()
    let source = try CheckpointFolder(path: "\(Self.fixtures)/\(name)")
    let original = try read(source.path)
    // One key/value head, with the windows that there are.
    let heads = try original.layouts.map { layout in
      var spec = try #require(AxisRegistry.standard.variant("mqa").uniform)
      if let window = layout.reach.window {
        spec = try #require(AxisRegistry.standard.variant("mqa/swa:\(window)").uniform)
      }
      return Variant.Run(spec: spec, layers: 1)
    }
    let model = try original.converted(to: Variant(list: heads))
    try write(model, of: source, to: folder("out"))
    let written = try CheckpointFolder(path: folder("out"))
    #expect(written.config.architecture == source.config.architecture)
    #expect(written.config.keyValueHeadCount == 1)
    #expect(written.names == source.names)
    for name in source.names where !name.contains("k_proj") && !name.contains("v_proj") {
      let (left, right) = (try source.tensor(named: name), try written.tensor(named: name))
      #expect(left.dtype == right.dtype && left.shape == right.shape)
      #expect(left.bytes.elementsEqual(right.bytes), "\(name)")
    }
    let error = try ExportSupport.error(
      ExportSupport.logits(read(written.path)), ExportSupport.logits(model))
    // Means of biases are rounded to the folder's bfloat16; matrices are in memory already.
    #expect(error < (source.config.hasAttentionBias ? 5e-3 : 1e-6))
    // Pooling shows, where there was something to pool.
    let change = try ExportSupport.error(
      ExportSupport.logits(model), ExportSupport.logits(original))
    #expect((change > 1e-2) == (source.config.keyValueHeadCount > 1))
  }

  @Test("its configuration keeps every key that the variant does not change")
  func configuration() throws {
    let folder = try TemporaryFolder()
    let source = try CheckpointFolder(path: "\(Self.fixtures)/qwen2-late-windows")
    let original = try read(source.path)
    let model = try original.converted(to: try AxisRegistry.standard.variant("mqa"))
    try write(model, of: source, to: folder("out"))
    func keys(_ path: String) throws -> [String: String] {
      let data = try Data(contentsOf: URL(fileURLWithPath: path + "/config.json"))
      let object = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
      // A dictionary has no order of its own.
      return object.mapValues { value in
        (value as? [String: Any]).map { inner in
          inner.map { "\($0.key): \($0.value)" }.sorted().joined(separator: ", ")
        } ?? "\(value)"
      }
    }
    let (before, after) = (try keys(source.path), try keys(folder("out")))
    let changed = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
    #expect(
      changed.isSubset(of: [
        "num_key_value_heads", "sliding_window", "use_sliding_window", "max_window_layers",
        "layer_types",
      ]), "\(changed)")
    #expect(after["num_key_value_heads"] == "1" && after["use_sliding_window"] == "0")
    #expect(before["initializer_range"] == after["initializer_range"])
  }

  @Test("windows for a model without them: Mistral, or Qwen2 where some layers see everything")
  func windows() throws {
    let folder = try TemporaryFolder()
    let source = try CheckpointFolder(path: "\(Self.fixtures)/llama")
    let original = try read(source.path)
    let heads = original.variant.notation
    for (notation, architecture) in [
      ("\(heads)/swa:8", HFArchitecture.mistral), ("\(heads)/hybrid:1:1:8", .qwen2),
    ] {
      let model = try original.converted(to: try AxisRegistry.standard.variant(notation))
      try write(model, of: source, to: folder(architecture.modelType))
      let written = try CheckpointFolder(path: folder(architecture.modelType))
      #expect(written.config.architecture == architecture)
      #expect(
        try ExportSupport.error(
          ExportSupport.logits(read(written.path)), ExportSupport.logits(model)) < 1e-6)
    }
  }

  @Test("what its architecture has no place for is refused in one line")
  func refusals() throws {
    let folder = try TemporaryFolder()
    for (name, notation, reason) in [
      ("mixtral", "mqa/hybrid:1:1:8", "one in every layer, as MixtralForCausalLM has them"),
      ("gemma3", "mqa", "rotates layers with a window by other frequencies"),
      ("llama-biases-tied-llama3", "mqa/swa:8", "Llama or Mistral without biases"),
      ("llama", "mqa/cla:2", "no published architecture shares them"),
    ] {
      let source = try CheckpointFolder(path: "\(Self.fixtures)/\(name)")
      let model = try read(source.path).converted(
        to: try AxisRegistry.standard.variant(notation))
      let refusal = #expect(throws: CheckpointError.self) {
        try write(model, of: source, to: folder("out"))
      }
      let text = refusal?.description ?? ""
      #expect(text.contains(reason) && !text.contains("\n"), "\(text)")
    }
    #expect(try folder.contents == [])
  }
}
