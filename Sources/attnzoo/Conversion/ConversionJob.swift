import AttentionCore
import AttentionZoo
import ArgumentParser
import Foundation
import ZooHarness
import ZooMemory
import ZooModels

/// One conversion, written layer by layer as it goes.
struct ConversionJob {
  struct Outcome {
    var result: ConversionRunner.Result
    var record: ConversionRecord
    var form: ConvertedFolder.Form?
    var asked: Variant
  }

  let source: ModelSource
  let runner: ConversionRunner
  let goal: ConversionRunner.Goal
  let out: String?
  let writing: ConversionWritingOptions

  func run() throws -> Outcome {
    if let out { try ConvertedFolder.requireFree(out) }
    var goal = goal
    let asked = goal.target
    // Ranks first: the folder's form depends on them.
    goal.target = try runner.variant(of: goal)
    goal.ranks = .named
    let named = goal.target
    let folder = try out.map { path in
      try ConvertedFolder(
        path: path, source: source.layers, config: source.folder.config,
        first: try source.layers.layer(0), target: named, options: goal.options,
        choice: try writing.choice(), isBiasFree: writing.biasFree,
        dtype: try writing.element(of: source), shardBytes: try writing.shardBytes(),
        copying: source.folder)
    }
    goal.target = folder?.factorised ?? named
    var export = ExportRecord()
    let fit = try biasFreeFit()
    var goals = [goal]
    if goal.target != named, runner.tokens?.evaluation.isEmpty == false {
      // What the channel that holds the constant would have been worth.
      var whole = goal
      whole.target = named
      goals.append(whole)
    }
    let results = try runner.run(goals) { index, layers, _ in
      let layer = try fit?.fit(layers[0], stopped: runner.stopped) ?? layers[0]
      try folder?.write(layer, index: index)
    }
    var result = results[0]
    if goal.target != named {
      export.factorisedVariant = result.variant.notation
      export.wholeRank = results.count > 1 ? results[1].reduced : nil
    }
    if let fit, let tokens = runner.tokens {
      export.note(fit.norms)
      export.biasFree = try BiasFreeScorer(fit: fit, tokens: tokens).losses(
        source: source.layers, stopped: runner.stopped)?.fitted
    }
    result.goal = self.goal
    result.variant = named
    result.keyValueBytesAfter = try named.layouts(for: source.layers.geometry)
      .reduce(0) { $0 + $1.idealBytesPerToken }
    var record = ConversionRecord(
      result, source: source.layers, path: source.path, tokens: runner.tokens,
      version: AttnZoo.configuration.version, command: CommandText.own,
      writtenAs: folder?.form.rawValue)
    if goal.target != named || fit != nil { record.export = export }
    if let folder {
      if runner.stopped() { throw ConversionStopped() }
      try folder.finish(
        files: [(ConversionRecord.fileName, try record.json())] + source.tokenizerFiles())
    }
    return Outcome(result: result, record: record, form: folder?.form, asked: asked)
  }

  /// What fits norms to the layers as they come, where they are written without biases.
  private func biasFreeFit() throws -> BiasFreeFit? {
    guard writing.biasFree else { return nil }
    guard out != nil, let tokens = runner.tokens, !tokens.calibration.isEmpty else {
      throw UsageError("--bias-free takes --out and calibration tokens, from --text or --tokens")
    }
    return try BiasFreeFit(
      calibration: tokens.calibration, evaluation: tokens.evaluation,
      table: try source.layers.embedding(), settings: source.layers.settings, pool: runner.pool)
  }
}
