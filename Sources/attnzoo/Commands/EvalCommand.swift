import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooModels
import ZooRecords

extension FidelityKind: ExpressibleByArgument {}

/// `attnzoo eval`: what a variant of a model loses on a text.
struct EvalCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "eval",
    abstract: "Loss, KL divergence and agreement of a model, or of its variants, on a text.",
    discussion: """
      Segments of 1,024 tokens without overlap, the last 512 of each scored, through the cached \
      path in chunks of 128. Reported are bits per byte, for models over tokens also nats per token, \
      KL(original ‖ variant) and top-1 agreement, with a bootstrap interval over segments. A \
      converted variant's loss is that of training-free conversion, not the quality of a trained \
      variant.

      The folder's tokenizer.json encodes the text (byte-level BPE); a model of 256 tokens without \
      one reads bytes; --tokens takes the ids of any other tokenizer.

      Examples:
        attnzoo eval --variants mha,gqa:4,mha/swa:256
        attnzoo eval ./SmolLM2-135M --text held-out.txt
        attnzoo eval ./SmolLM2-135M-mla --text held-out.txt --against ./SmolLM2-135M
        attnzoo eval ./gemma-3-1b --tokens ids.npy --variants own,own@int8
      """)

  @Argument(help: "A checkpoint folder; the embedded model by default.")
  var folder: String?
  @Option(help: "The same as the argument: embedded, or a checkpoint folder.")
  var model: String?
  @Option(help: "Variants the model is converted to; its own by default, which own stands for.")
  var variants: String?
  @Option(help: "A text to score; the embedded evaluation set by default.")
  var text: String?
  @Option(help: "Token ids to score instead: .npy, or .safetensors of one tensor.")
  var tokens: String?
  @Option(help: "The folder of the original that is compared with; the model itself by default.")
  var against: String?
  @Option(help: "What the model is to the original: trained, healed, training_free or codec.")
  var kind: FidelityKind?
  @Option(help: "Most segments scored; all by default.")
  var segments: Int?
  @OptionGroup var options: RunOptions
  @OptionGroup var format: FormatOptions
  @Option(help: "Folder for rows.")
  var output: String = "Reports"
  @Option(help: "Row file to append to, instead of <output>/eval.jsonl.")
  var rows: String?

  func run() async throws {
    guard folder == nil || model == nil else {
      throw UsageError("\(folder ?? "") and --model \(model ?? ""): expected one of them")
    }
    guard text == nil || tokens == nil else {
      throw UsageError("--text and --tokens: expected one of them")
    }
    let model = folder ?? self.model ?? EmbeddedModel.name
    let geometry = try GeometryLookup.model(model)
    if let against { _ = try GeometryLookup.model(against) }
    let chosen = try ListArgument.variants(variants ?? ListArgument.own, on: geometry)
    for variant in chosen { _ = try variant.layouts(for: geometry) }
    let suite = Suite(
      name: "eval", geometry: geometry, variants: [], storage: try options.storage(),
      threads: try options.pool().threads, seed: options.seed,
      fidelity: Suite.Fidelity(
        model: model, variants: chosen, text: text, tokens: tokens, against: against, kind: kind,
        segments: segments))
    try await SuiteSession(
      suite: suite, output: format, rowPath: rows, folder: output, writesReport: false,
      command: "attnzoo " + CommandLine.arguments.dropFirst().joined(separator: " ")
    ).run()
  }
}
