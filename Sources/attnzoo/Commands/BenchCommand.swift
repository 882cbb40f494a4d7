import ArgumentParser
import AttentionCore
import ZooHarness
import ZooLinearAlgebra

/// `attnzoo bench`: measures variants, by flags or by a suite file.
struct BenchCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract:
      "Measures variants: bytes, latency, largest batch, fidelity; writes rows and a report.",
    discussion: """
      Rows are appended as cases finish; the same command goes on where it was interrupted, and \
      measures nothing twice: remove the row file, or give another --output, to measure anew.

      With --model the steps run the folder's weights, converted to each variant without training; \
      own stands for its own variant. --text, --tokens or --segments add the quality of each variant \
      to its bytes and latency, --budget its largest batch: the report has them side by side.

      Examples:
        attnzoo bench --geometry llama-3.2-1b --variants mha,gqa:8,mla:512+64 --context 8k,32k \
      --batch 1,8
        attnzoo bench --model ./SmolLM2-135M --variants own,own@int8,mqa --context 4k \
      --text held-out.txt --budget weights+1GiB
        attnzoo bench --suite Benchmarks/Suites/default.yaml --output Reports
      """)

  @Option(help: "A suite file (YAML); flags that describe a suite cannot stand beside it.")
  var suite: String?
  @OptionGroup var shape: GeometryOption
  @Option(help: "Variants, separated by commas.")
  var variants: String?
  @Option(help: "Contexts, tokens: 1k,8k. [default: 8k]")
  var context: String?
  @Option(help: "Batches: 1,4. [default: 1]")
  var batch: String?
  @Option(help: "Scopes: attention, step, or both separated by a comma. [default: attention,step]")
  var scope: String?
  @Option(help: "Most timed steps a case.")
  var steps: Int = 20
  @Option(help: "Most seconds of timed steps a case.")
  var seconds: Double = 3
  @Option(help: "Steps before the first timed one.")
  var warmUp: Int = 2
  @Option(help: "Prompt tokens of the time to first token, step scope.")
  var prefill: Int?
  @Option(help: "Bytes for weights, cache and workspace: adds the largest batch within them.")
  var budget: String?
  @Option(help: "A text to score, with --model: adds the fidelity of each variant.")
  var text: String?
  @Option(help: "Token ids to score instead of a text: .npy, or .safetensors of one tensor.")
  var tokens: String?
  @Option(help: "Most segments scored, of the embedded text where no other is given.")
  var segments: Int?
  @OptionGroup var options: RunOptions
  @OptionGroup var format: FormatOptions
  @Option(help: "Folder for rows and report.")
  var output: String = "Reports"
  @Option(help: "Row file to append to, instead of <output>/<suite>.jsonl.")
  var rows: String?
  @Flag(inversion: .prefixedNo, help: "Write a report beside the rows.")
  var report = true

  func run() async throws {
    let suite = try makeSuite()
    try await SuiteSession(
      suite: suite, output: format, rowPath: rows, folder: output, writesReport: report,
      command: "attnzoo " + CommandLine.arguments.dropFirst().joined(separator: " ")
    ).run()
  }

  private func makeSuite() throws -> Suite {
    if let path = suite {
      guard variants == nil, context == nil, batch == nil, scope == nil, prefill == nil,
        budget == nil, text == nil, tokens == nil, segments == nil, shape.model == nil
      else {
        throw UsageError("--suite says what is measured; leave out the flags that describe a suite")
      }
      return try SuiteFile(geometry: GeometryLookup.geometry).read(path)
    }
    guard let variants else {
      throw UsageError("expected --variants mha,gqa:8,… or --suite FILE; see attnzoo bench --help")
    }
    let grid = Suite.Grid(
      contexts: try ListArgument.tokens(context ?? "8k", "--context"),
      batches: try ListArgument.counts(batch ?? "1", "--batch"))
    let scopes = (scope ?? "attention,step").split(separator: ",").map(String.init)
    for name in scopes where name != "attention" && name != "step" {
      throw UsageError("--scope \(name): expected attention, step, or both")
    }
    let geometry = try shape.value()
    let chosen = try ListArgument.variants(variants, on: geometry)
    return Suite(
      name: "bench", geometry: geometry, geometrySource: shape.source, model: shape.model,
      variants: chosen, weights: options.weights, storage: try options.storage(),
      threads: try options.pool().threads, seed: options.seed,
      limits: Suite.Limits(steps: steps, seconds: seconds, warmUp: warmUp),
      attention: scopes.contains("attention") ? grid : nil,
      step: scopes.contains("step") ? grid : nil, prefillTokens: prefill,
      maxBatch: try maxBatch(grid), fidelity: try fidelity(chosen))
  }

  private func maxBatch(_ grid: Suite.Grid) throws -> Suite.MaxBatch? {
    guard let budget else { return nil }
    guard let bytes = ByteBudget(budget) else {
      throw UsageError("--budget \(budget): expected bytes such as 6GiB, or weights+4GiB")
    }
    return Suite.MaxBatch(budget: bytes, contexts: grid.contexts)
  }

  private func fidelity(_ variants: [Variant]) throws -> Suite.Fidelity? {
    guard text != nil || tokens != nil || segments != nil else { return nil }
    guard let model = shape.model else {
      throw UsageError("--text, --tokens and --segments need --model: whose quality to score")
    }
    guard text == nil || tokens == nil else {
      throw UsageError("--text and --tokens: expected one of them")
    }
    return Suite.Fidelity(
      model: model, variants: variants, text: text, tokens: tokens, segments: segments)
  }
}
