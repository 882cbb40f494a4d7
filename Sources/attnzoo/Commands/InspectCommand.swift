import ArgumentParser
import AttentionCore
import ZooHarness
import ZooModels
import ZooPlanner
import ZooReports

/// `attnzoo inspect`: one variant on one geometry, layer by layer.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "One variant layer by layer: rows, owners, windows, bytes; or a checkpoint folder.",
    discussion: """
      Examples:
        attnzoo inspect gqa:8/hybrid:5:1:1024 --geometry llama-3.2-1b --context 32k
        attnzoo inspect ./my-checkpoint
      """)

  @Argument(help: "A variant, or a checkpoint folder (its own variant is shown).")
  var subject: String
  @OptionGroup var shape: GeometryOption
  @OptionGroup var output: FormatOptions
  @Option(help: "Context at which bytes are stated.")
  var context: String = "8k"

  func run() throws {
    let registry = AxisRegistry.standard
    let looksLikePath =
      subject.contains("/")
      && registry.heads.allSatisfy { !subject.hasPrefix($0.keyword) && !subject.hasPrefix("[") }
    let isFolder =
      (try? registry.variant(subject)) == nil
      && (looksLikePath || GeometryLookup.isFolder(subject))
    let geometry = isFolder ? try GeometryLookup.checkpoint(subject) : try shape.value()
    let checkpoint = isFolder ? try CheckpointSummary(folder: subject) : nil
    let notation = isFolder ? geometry.native : subject
    let variant = try registry.variant(notation)
    let tokens = try ListArgument.tokens(context, "--context")
    guard tokens.count == 1 else { throw UsageError("--context \(context): expected one number") }
    let layouts = try variant.layouts(for: geometry)
    if output.format == .table || output.format == .markdown {
      try printSummary(
        variant, geometry: geometry, context: tokens[0], layouts: layouts,
        checkpoint: checkpoint)
    }
    try output.show(layerTable(layouts, context: tokens[0], checkpoint: checkpoint))
  }

  private func printSummary(
    _ variant: Variant, geometry: ModelGeometry, context: Int, layouts: [KVLayout],
    checkpoint: CheckpointSummary?
  ) throws {
    var lines: [String] = []
    let plan = try KVPlan(geometry: geometry, variant: variant)
    let weights = try WeightPlan(
      geometry: geometry, variant: variant, traits: checkpoint?.traits ?? .llama)
    lines.append("\(variant.notation) on \(geometry.name)")
    lines.append(
      "  \(geometry.layers) layers, hidden \(geometry.hidden), \(geometry.queryHeads) query heads × "
        + "\(geometry.headWidth), MLP \(geometry.mlpWidth), vocabulary \(geometry.vocabulary)"
        + (geometry.tiedEmbeddings ? " (tied)" : ""))
    if case .latent(let latent) = layouts[0].heads {
      lines.append(
        "  d_n \(latent.nopeWidth), d_r \(latent.ropeWidth), d_v \(latent.valueWidth), rank "
          + "\(latent.rank), RoPE slices \(latent.ropeSlices)")
    }
    if let checkpoint {
      lines += checkpoint.lines(planned: weights).map { "  " + $0 }
    } else {
      lines.append(
        "  \(NumberText.whole(weights.total)) parameters of a dense model of this shape")
    }
    lines.append("  \(NumberText.whole(plan.idealBytesPerToken)) bytes a token")
    lines.append(
      "  \(NumberText.bytes(try plan.idealBytes(context: context))) stored and "
        + "\(NumberText.bytes(try plan.readBytesPerStep(context: context))) read a step at "
        + "\(NumberText.tokens(context)) tokens")
    if let reason = try variant.noop(for: geometry, context: context) {
      lines.append("  noop: \(reason)")
    }
    try StandardStreams.output(lines.joined(separator: "\n") + "\n\n")
  }

  private func layerTable(
    _ layouts: [KVLayout], context: Int, checkpoint: CheckpointSummary?
  ) -> Table {
    var table = Table(columns: [
      .init("layer"), .init("rows of", key: "owner"), .init("streams"),
      .init("key width", key: "key_width"),
      .init("value width", key: "value_width"), .init("heads a stream", key: "heads_per_stream"),
      .init("window"), .init("sinks"), .init("codec", .left),
      .init("bytes a token", key: "bytes_per_token"), .init("stored", key: "stored_bytes"),
      .init("read a step", key: "read_bytes"),
      .init("feed-forward", key: "feed_forward", .left), .init("RoPE", key: "rope", .left),
    ])
    for layout in layouts {
      table.append([
        .whole(layout.layer), .whole(layout.owner), .whole(layout.shape.streams),
        .whole(layout.shape.keyWidth),
        layout.shape.valueIsKeyPrefix
          ? Table.Cell("\(layout.shape.valueWidth) (prefix)") : .whole(layout.shape.valueWidth),
        .whole(layout.shape.queryHeadsPerStream), .whole(layout.reach.window),
        layout.reach.sinks > 0 ? .whole(layout.reach.sinks) : Table.Cell(NumberText.missing),
        Table.Cell(layout.codec.notation), .whole(layout.idealBytesPerToken),
        .bytes(layout.idealBytes(context: context)), .bytes(layout.readBytes(context: context)),
        Table.Cell(checkpoint?.feedForward(ofLayer: layout.layer) ?? NumberText.missing),
        Table.Cell(checkpoint?.rope(ofLayer: layout.layer) ?? NumberText.missing),
      ])
    }
    return table
  }
}
