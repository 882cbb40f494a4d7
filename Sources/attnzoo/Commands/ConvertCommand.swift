import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooMemory
import ZooModels
import ZooReports

/// `attnzoo convert`: a checkpoint as another variant, what that lost, and a folder to take away.
struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Converts a checkpoint to another variant and says what that lost.",
    discussion: """
      Fewer key/value heads are means of heads; latent rows come from one factorisation of keys and \
      values over calibration tokens; sharing, windows and sinks change no weights. No training: the \
      losses say nothing about a trained variant. Calibration tokens are taken from the beginning of \
      the text, those that losses are measured on from its end.

      With several targets nothing is written; they are compared side by side.

      Examples:
        attnzoo convert embedded --to mla:64+16 --out ./embedded-mla
        attnzoo convert ./llama --to mla:512+64 --tokens text.npy --out ./llama-mla
        attnzoo convert ./llama --to mla:2048+64 --kv-bytes 40000 --text text.txt --out ./llama-mla
        attnzoo convert embedded --to mla:64+16,mla:96+16 --methods calibrated,weights-only
      """)

  @Argument(help: "embedded, or the folder of a checkpoint.")
  var model: String
  @Option(help: "The variant to convert to; several to compare, separated by commas.")
  var to: String
  @Option(help: "The folder to write; it must be empty or not there yet.")
  var out: String?
  @OptionGroup var text: ConversionTextOptions
  @OptionGroup var factors: FactorisationOptions
  @OptionGroup var writing: ConversionWritingOptions
  @Option(
    help: "Writes a report of the comparison, with a chart beside it: a path that ends in .md.")
  var report: String?
  @Option(help: "Threads that compute; all processors by default.")
  var threads: Int?
  @OptionGroup var output: FormatOptions

  func run() throws {
    let options = try factors.combinations()
    let rules = try factors.rules()
    let pool = WorkerPool(threads: try ThreadCount.checked(threads))
    let source = try ModelSource(model, pool: pool)
    let targets = try ListArgument.variants(to, on: source.layers.geometry)
    let isComparison =
      targets.count * options.count * rules.count > 1 || factors.spread || report != nil
    guard !isComparison || out == nil else {
      throw UsageError("--out takes one target; expected one variant after --to")
    }
    guard report == nil || report?.hasSuffix(".md") == true else {
      throw UsageError("--report \(report ?? ""): expected a path that ends in .md")
    }
    for target in targets { try Self.require(target, fits: source) }
    let tokens = try text.tokens(of: source)
    let progress = ProgressLine()
    Interruption.watch()
    var runner = ConversionRunner(source: source.layers, tokens: tokens, pool: pool)
    runner.progress = { progress.show($0) }
    runner.stopped = { Interruption.isRequested }
    defer { progress.clear() }
    let goals = try ConversionGoals(
      targets: targets, rules: rules, options: options, spreads: factors.spread,
      geometry: source.layers.geometry
    ).all()
    if isComparison {
      let results = try runner.run(goals)
      progress.clear()
      try output.show(ConversionTables.comparison(results))
      if let report {
        try ConversionReport(
          results: results, source: source.layers, tokens: tokens, command: CommandText.own
        ).write(to: report)
        try StandardStreams.output("\(report)\n")
      }
      return
    }
    let job = ConversionJob(
      source: source, runner: runner, goal: goals[0], out: out, writing: writing)
    let result = try job.run()
    progress.clear()
    try ConversionTables.show(result, output)
    if let out, let form = result.form {
      progress.note("\(out): written in the \(form.rawValue) form")
    }
  }

  /// Refuses a target without meaning on the checkpoint: not how it is written is wrong, but what it
  /// says of this model.
  private static func require(_ target: Variant, fits source: ModelSource) throws {
    do {
      _ = try target.layouts(for: source.layers.geometry)
    } catch {
      throw ConversionError(target: error.notation, reason: error.reason)
    }
  }
}
