import AttentionCore
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("Every architecture to every kind of variant")
struct SourceTargetTests {
  private let pool = WorkerPool(threads: 2)

  /// What becomes of one architecture under every kind of target: the form that it is written in, or
  /// words of the refusal. K stands for its own key/value heads.
  struct Source: Sendable, CustomTestStringConvertible {
    let fixture: String
    /// Fewer heads, one shared RoPE slice with stock frequencies and with its own, a slice a head,
    /// sharing, a window in every layer and in every other one, sinks.
    let outcomes: [(target: String, outcome: String)]

    var testDescription: String { fixture }
  }

  private static let norms = "normalises queries or keys"
  private static let latent = "no keys and values of its own"

  static let sources = [
    Source(
      fixture: "llama",
      outcomes: [
        ("mqa", "grouped"), ("mla:24+4", "deepseek"), ("mla:24+6", "native"),
        ("mla:24+4x5", "native"), ("mha/cla:2", "native"), ("mha/swa:8", "grouped"),
        ("mha/hybrid:1:1:8", "grouped"), ("mha/swa:8/sink:2", "native"),
        ("mla:24+4/cla:2", "native"), ("mla:24+4/swa:8", "native"),
        ("[mla:24+4,mqa,mha/swa:8]", "native"),
      ]),
    Source(
      fixture: "llama-biases-tied-llama3",
      outcomes: [
        ("gqa:2", "grouped"), ("mqa", "grouped"), ("mla:24+4", "native"), ("mla:24+4x2", "native"),
        ("gqa:2/cla:2", "native"), ("gqa:2/swa:8", "native"),
      ]),
    Source(
      fixture: "llama-dynamic",
      outcomes: [
        ("mla:8+4", "follows the length"), ("mqa/cla:2", "native"), ("mqa/swa:8", "grouped"),
      ]),
    Source(
      fixture: "llama-yarn",
      outcomes: [("mla:8+4", "deepseek"), ("mla:8+6", "native"), ("mqa/hybrid:1:1:8", "grouped")]),
    Source(
      fixture: "mistral-window",
      outcomes: [
        ("mqa", "grouped"), ("mla:24+4", "deepseek"), ("mla:24+4x2", "native"),
        ("gqa:2/cla:2", "native"), ("gqa:2/swa:8", "grouped"), ("gqa:2/hybrid:1:1:8", "grouped"),
        ("gqa:2/swa:8/sink:2", "native"),
      ]),
    Source(
      fixture: "qwen2-late-windows",
      outcomes: [
        ("mqa", "grouped"), ("gqa:2", "3 key/value heads cannot be pooled to 2"),
        ("mla:17+4", "native"), ("mla:17+6", "deepseek"), ("mla:17+4x3", "native"),
        ("gqa:3/cla:2", "native"), ("gqa:3/swa:8", "grouped"), ("gqa:3/hybrid:1:1:8", "grouped"),
      ]),
    Source(
      fixture: "qwen3-yarn",
      outcomes: [
        ("mqa", "grouped"), ("mla:8+4", norms), ("mla:8+4x1", norms), ("mqa/cla:2", "native"),
        ("mqa/swa:8", "grouped"),
      ]),
    Source(
      fixture: "gemma2",
      outcomes: [
        ("mqa", "grouped"), ("mla:24+4", "native"), ("mla:24+4x2", "native"),
        ("gqa:2/cla:2", "native"), ("gqa:2/hybrid:1:1:8", "grouped"),
      ]),
    // Layers with a window rotate by other frequencies there.
    Source(
      fixture: "gemma3",
      outcomes: [
        ("mqa", "native"), ("mla:8+4", norms), ("mqa/cla:2", "rotates by other frequencies"),
        ("mqa/swa:8", "native"), ("mqa/hybrid:5:1:12", "grouped"),
      ]),
    Source(
      fixture: "mixtral",
      outcomes: [
        ("mqa", "grouped"), ("mla:24+4", "native"), ("mla:24+4x2", "native"),
        ("gqa:2/cla:2", "native"), ("gqa:2/swa:8", "grouped"), ("gqa:2/hybrid:1:1:8", "native"),
      ]),
    Source(
      fixture: "qwen2-moe",
      outcomes: [
        ("mqa", "grouped"), ("mla:24+4", "native"), ("mla:24+4x5", "native"),
        ("mha/cla:2", "native"), ("mha/swa:8", "grouped"),
      ]),
    Source(
      fixture: "qwen3-moe",
      outcomes: [
        ("mqa", "grouped"), ("mla:8+4", norms), ("gqa:2/cla:2", "native"),
        ("gqa:2/swa:8", "grouped"), ("gqa:2/hybrid:1:1:8", "native"),
      ]),
    Source(
      fixture: "gpt-oss",
      outcomes: [
        ("mqa", "grouped"), ("mla:17+4", "native"), ("mla:17+4x2", "native"),
        ("gqa:2/cla:2", "native"), ("gqa:2/swa:8", "grouped"), ("gqa:2/hybrid:1:1:8", "grouped"),
        ("gqa:2/swa:8/sink:2", "native"),
      ]),
    Source(
      fixture: "gpt-oss-mxfp4",
      outcomes: [("mqa/swa:8", "grouped"), ("mla:13+4", "native"), ("mqa/cla:2", "native")]),
    Source(
      fixture: "deepseek-v2", outcomes: [("mqa", latent), ("mha/swa:8", latent)]),
    Source(
      fixture: "deepseek-v3-fp8", outcomes: [("mqa", latent), ("mha/cla:2", latent)]),
  ]

  /// Converts a fixture, writes it, and reads it again.
  private func convert(
    _ fixture: String, to notation: String, in folder: TemporaryFolder
  ) throws -> (form: ConvertedFolder.Form, read: DecoderModel, converted: DecoderModel) {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Fixtures/Transformers/\(fixture)").standardizedFileURL.path
    let source = try CheckpointFolder(path: path)
    let layers = try CheckpointLayers(
      folder: source, name: fixture, format: .float32, pool: pool)
    let target = try AxisRegistry.standard.variant(notation)
    let goal = try ConvertedFolder(
      path: folder("out"), source: layers, config: source.config, first: try layers.layer(0),
      target: target, options: ConversionOptions(), dtype: .f32, copying: source)
    let converted = try DecoderModel(reading: layers).converted(
      to: goal.factorised, calibration: ConversionFixture.segments(4), pool: pool
    ).model
    for (index, layer) in converted.layers.enumerated() { try goal.write(layer, index: index) }
    try goal.finish(files: [])
    let read = try DecoderModel(
      checkpoint: CheckpointFolder(path: folder("out")), name: "out", format: .float32, pool: pool)
    return (goal.form, read, converted)
  }

  @Test("is written and read again as it was converted, or refused in one line", arguments: sources)
  func outcome(_ source: Source) throws {
    for (notation, outcome) in source.outcomes {
      let folder = try TemporaryFolder()
      guard let form = ConvertedFolder.Form(rawValue: outcome) else {
        let error = #expect(throws: ConversionError.self) {
          try convert(source.fixture, to: notation, in: folder)
        }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains(outcome) && !text.contains("\n"), "\(notation): \(text)")
        continue
      }
      let result = try convert(source.fixture, to: notation, in: folder)
      #expect(result.form == form, "\(notation)")
      #expect(result.read.variant.notation == notation)
      // Rows are f16 on both sides; the DeepSeek form scales its latents, which rounds them anew.
      let error = try ConversionFixture.error(result.read, from: result.converted, pool: pool)
      #expect(error < (form == .deepseek ? 5e-3 : 1e-5), "\(notation): \(error)")
    }
  }
}
