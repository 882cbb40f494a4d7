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
        choice: try writing.choice(), dtype: try writing.element(of: source),
        shardBytes: try writing.shardBytes())
    }
    goal.target = folder?.factorised ?? named
    var result = try runner.run([goal]) { index, layers, _ in
      try folder?.write(layers[0], index: index)
    }[0]
    result.goal = self.goal
    result.variant = named
    result.keyValueBytesAfter = try named.layouts(for: source.layers.geometry)
      .reduce(0) { $0 + $1.idealBytesPerToken }
    let record = ConversionRecord(
      result, source: source.layers, path: source.path, tokens: runner.tokens,
      version: AttnZoo.configuration.version, command: CommandText.own,
      writtenAs: folder?.form.rawValue)
    if let folder {
      if runner.stopped() { throw ConversionStopped() }
      try folder.finish(
        files: [(ConversionRecord.fileName, try record.json())] + source.tokenizerFiles())
    }
    return Outcome(result: result, record: record, form: folder?.form, asked: asked)
  }
}
