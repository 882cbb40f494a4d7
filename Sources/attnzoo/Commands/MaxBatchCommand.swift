import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness

/// `attnzoo max-batch`: the largest batch that really runs in a byte budget.
struct MaxBatchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "max-batch",
    abstract:
      "The largest batch before memory runs out: computed, and measured in child processes.",
    discussion: """
      Each trial is a child process under a hard limit of the budget plus the fixed overhead of a \
      child with an empty cache. It allocates everything, fills every row, runs one prefill chunk \
      and three decode steps of all sequences. Weights are random, also in the shape of a checkpoint \
      folder: their bytes count, not their values.

      Examples:
        attnzoo max-batch --geometry llama-3.2-1b --variants mha,gqa:8,mla:512+64 --context 8k \
      --budget weights+4GiB
        attnzoo max-batch --model ./SmolLM2-135M --variants own,own@int8 --budget weights+1GiB
      """)

  @OptionGroup var shape: GeometryOption
  @Option(help: "Variants, separated by commas.")
  var variants: String
  @Option(help: "Contexts, tokens.")
  var context: String = "8k"
  @Option(help: "Bytes for weights, cache and workspace: 6GiB, or weights+4GiB.")
  var budget: String = "weights+4GiB"
  @Option(help: "Most seconds of one child.")
  var seconds: Double = 60
  @OptionGroup var options: RunOptions
  @OptionGroup var format: FormatOptions
  @Option(help: "Folder for rows.")
  var output: String = "Reports"
  @Option(help: "Row file to append to, instead of <output>/max-batch.jsonl.")
  var rows: String?

  func run() async throws {
    guard let bytes = ByteBudget(budget) else {
      throw UsageError("--budget \(budget): expected bytes such as 6GiB, or weights+4GiB")
    }
    let geometry = try shape.value()
    let suite = Suite(
      name: "max-batch", geometry: geometry, geometrySource: shape.source, model: shape.model,
      variants: try ListArgument.variants(variants, on: geometry), weights: options.weights,
      storage: try options.storage(), threads: try options.pool().threads, seed: options.seed,
      maxBatch: Suite.MaxBatch(
        budget: bytes, contexts: try ListArgument.tokens(context, "--context"),
        secondsPerChild: seconds))
    try await SuiteSession(
      suite: suite, output: format, rowPath: rows, folder: output, writesReport: false,
      command: "attnzoo " + CommandLine.arguments.dropFirst().joined(separator: " ")
    ).run()
  }
}

/// The hidden child of `max-batch`.
struct MaxBatchChildCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: MaxBatchChild.subcommand, abstract: "One trial of max-batch.",
    shouldDisplay: false)

  @Argument var request: String

  func run() throws { Foundation.exit(MaxBatchChild.run(request: request)) }
}
