import ArgumentParser
import AttentionCore
import ZooHarness
import ZooModels

/// `attnzoo eval`: what a variant of a model loses on a text.
struct EvalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Bits per byte, KL divergence and agreement of a model's variants on a text.",
    discussion: """
      Segments of 1,024 tokens without overlap, the last 512 of each scored, through the cached \
      path in chunks of 128. A converted variant's loss is that of training-free conversion, not \
      the quality of a trained variant.

      Examples:
        attnzoo eval --variants mha,gqa:4,mha/swa:256
        attnzoo eval --model ./my-byte-model --text held-out.txt
      """)

  @Option(help: "embedded, or the folder of a byte-level checkpoint.")
  var model: String = "embedded"
  @Option(help: "Variants the model is converted to; its own by default.")
  var variants: String?
  @Option(help: "A text to score; the embedded evaluation set by default.")
  var text: String?
  @Option(help: "Most segments scored; all by default.")
  var segments: Int?
  @OptionGroup var options: RunOptions
  @OptionGroup var format: FormatOptions
  @Option(help: "Folder for rows.")
  var output: String = "Reports"
  @Option(help: "Row file to append to, instead of <output>/eval.jsonl.")
  var rows: String?

  func run() async throws {
    let geometry =
      model == EmbeddedModel.name ? ModelGeometry.embedded : try GeometryLookup.checkpoint(model)
    let chosen = try ListArgument.variants(variants ?? geometry.native)
    for variant in chosen { _ = try variant.layouts(for: geometry) }
    let suite = Suite(
      name: "eval", geometry: geometry, variants: [], storage: try options.storage(),
      threads: try options.pool().threads, seed: options.seed,
      fidelity: Suite.Fidelity(
        model: model, variants: chosen, text: text,
        segments: segments))
    try await SuiteSession(
      suite: suite, output: format, rowPath: rows, folder: output, writesReport: false,
      command: "attnzoo " + CommandLine.arguments.dropFirst().joined(separator: " ")
    ).run()
  }
}
