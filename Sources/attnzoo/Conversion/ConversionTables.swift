import AttentionCore
import ZooHarness
import ZooModels
import ZooReports

/// What a conversion lost, as tables.
enum ConversionTables {
  /// One target: a line for each layer, then the whole model.
  static func show(_ outcome: ConversionJob.Outcome, _ output: FormatOptions) throws {
    switch output.format {
    case .json:
      try StandardStreams.output(try outcome.record.json())
    case .csv:
      try output.show(layers(outcome.result))
    case .table, .markdown:
      try output.show(layers(outcome.result))
      try StandardStreams.output("\n")
      try output.show(model(outcome.result, outcome.record.export))
    }
  }

  static func layers(_ result: ConversionRunner.Result) -> Table {
    var table = Table(columns: [
      .init("layer"), .init("rank"), .init("fold"), .init("energy kept"),
      .init("keys error", key: "key_error"), .init("values error", key: "value_error"),
      .init("projections error", key: "projection_error"),
      .init("attention error: split", key: "split_output_error"),
      .init("attention error: rank", key: "output_error"),
      .init("hidden error: split", key: "split_hidden_error"),
      .init("hidden error: rank", key: "hidden_error"),
      .init("KV bytes before", key: "kv_bytes_before"), .init("after", key: "kv_bytes_after"),
    ])
    for layer in result.layers {
      let factors = layer.factors
      table.append([
        .whole(layer.layer), .whole(factors?.rank), .whole(factors?.fold),
        share(factors?.energyKept), share(factors?.keyError), share(factors?.valueError),
        share(factors?.projectionError), share(layer.splitOutputError), share(layer.outputError),
        share(layer.splitHiddenError), share(layer.hiddenError),
        .whole(layer.keyValueBytesBefore), .whole(layer.keyValueBytesAfter),
      ])
    }
    return table
  }

  private static func share(_ value: Double?) -> Table.Cell {
    Table.Cell(NumberText.fixed(value, decimals: 4), value: value)
  }

  /// Original, RoPE split, the whole conversion and what its written form costs, one line each.
  static func model(_ result: ConversionRunner.Result, _ export: ExportRecord?) -> Table {
    var table = Table(columns: [
      .init("model", .left), .init("variant", .left), .init("KV bytes a token", key: "kv_bytes"),
      .init("bits/byte", key: "bits_per_byte"), .init("nats/token", key: "nats_per_token"),
      .init("change", key: "change"), .init("mean KL", key: "mean_kl"),
      .init("p99 KL", key: "p99_kl"), .init("top-1", key: "top1_agreement"),
    ])
    func line(_ name: String, _ variant: String, _ bytes: Int?, _ loss: ModelLoss?) {
      table.append([
        Table.Cell(name), Table.Cell(variant), .whole(bytes),
        Table.Cell(NumberText.fixed(loss?.bitsPerByte, decimals: 4), value: loss?.bitsPerByte),
        Table.Cell(NumberText.fixed(loss?.natsPerToken, decimals: 4), value: loss?.natsPerToken),
        Table.Cell(interval(name == "original" ? nil : loss?.change)),
        .number(name == "original" ? nil : loss?.meanKL),
        .number(name == "original" ? nil : loss?.p99KL),
        .number(name == "original" ? nil : loss?.top1Agreement),
      ])
    }
    line("original", "", result.keyValueBytesBefore, result.original)
    if let split = result.split { line("RoPE split", "", nil, split) }
    if let whole = export?.wholeRank {
      line("without the constant channel", result.variant.notation, nil, whole)
    }
    line("converted", result.variant.notation, result.keyValueBytesAfter, result.reduced)
    if let biasFree = export?.biasFree {
      line("written without biases, against converted", "", nil, biasFree)
    }
    return table
  }

  static func interval(_ change: [Double]?) -> String {
    guard let change, change.count == 2 else { return NumberText.missing }
    let texts = change.map { ($0 < 0 ? "" : "+") + NumberText.fixed($0, decimals: 4) }
    return "\(texts[0]) … \(texts[1])"
  }

  /// Several targets: a line each.
  static func comparison(_ results: [ConversionRunner.Result]) -> Table {
    var table = Table(columns: [
      .init("asked for", key: "target", .left), .init("variant", .left), .init("method", .left),
      .init("frequencies", .left), .init("fold", .left), .init("ranks", .left),
      .init("KV bytes a token", key: "kv_bytes"),
      .init("bits/byte: split", key: "split_bits_per_byte"),
      .init("bits/byte: rank", key: "bits_per_byte"),
      .init("nats/token: split", key: "split_nats_per_token"),
      .init("nats/token: rank", key: "nats_per_token"), .init("change", key: "change"),
      .init("mean KL: split", key: "split_mean_kl"), .init("mean KL: rank", key: "mean_kl"),
      .init("top-1", key: "top1_agreement"),
      .init("attention error: split", key: "split_output_error"),
      .init("attention error: rank", key: "output_error"),
    ])
    for result in results {
      let (split, reduced) = (result.split, result.reduced)
      let knowsBytes = reduced?.bitsPerByte != nil
      let isLatent = result.layers.contains { $0.factors != nil }
      let options = result.goal.options
      let stock = Set(result.layers.compactMap { $0.factors?.stockFrequencies })
      let folds = Set(result.layers.compactMap { $0.factors?.fold }).sorted()
      func mean(_ value: (LayerLosses) -> Double?) -> Double? {
        let values = result.layers.compactMap(value)
        return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
      }
      func fixed(_ value: Double?) -> Table.Cell {
        Table.Cell(NumberText.fixed(value, decimals: 4), value: value)
      }
      table.append([
        Table.Cell(result.goal.target.notation), Table.Cell(result.variant.notation),
        Table.Cell(isLatent ? options.method.rawValue : NumberText.missing),
        Table.Cell(
          !isLatent
            ? NumberText.missing
            : stock == [true] ? "stock" : stock == [false] ? "by-energy" : "both"),
        Table.Cell(
          folds.isEmpty ? NumberText.missing : folds.map { "\($0)" }.joined(separator: ", ")),
        Table.Cell(rule(result.goal.ranks)), .whole(result.keyValueBytesAfter),
        fixed(split?.bitsPerByte), fixed(reduced?.bitsPerByte),
        knowsBytes ? "" : fixed(split?.natsPerToken),
        knowsBytes ? "" : fixed(reduced?.natsPerToken),
        Table.Cell(interval(reduced?.change)), .number(split?.meanKL), .number(reduced?.meanKL),
        .number(reduced?.top1Agreement), fixed(mean { $0.splitOutputError }),
        fixed(mean { $0.outputError }),
      ])
    }
    return table
  }

  static func rule(_ rule: RankRule) -> String {
    switch rule {
    case .named: "named"
    case .energy(let share): "energy \(share)"
    case .keyValueBytes(let bytes): "\(bytes) bytes"
    }
  }
}
