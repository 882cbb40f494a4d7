import ArgumentParser
import AttentionCore
import ZooModels
import ZooPlanner
import ZooReports

/// `attnzoo list`: what the zoo holds.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "The variants of the zoo with their bytes a token on a geometry.",
    discussion: """
      Examples:
        attnzoo list
        attnzoo list --geometry llama-3.1-8b --context 32k --format markdown
        attnzoo list --model ./SmolLM2-135M --variants own,mqa
        attnzoo list --axes
        attnzoo list --geometries
      """)

  @OptionGroup var shape: GeometryOption
  @OptionGroup var output: FormatOptions
  @Option(help: "Context at which stored and read bytes are stated.")
  var context: String = "8k"
  @Option(help: "Variants to list, separated by commas; a spread over all axes by default.")
  var variants: String?
  @Flag(help: "List the values of each axis instead.")
  var axes = false
  @Flag(help: "List the known geometries instead.")
  var geometries = false

  func run() throws {
    if axes { return try output.show(Self.axisTable(.standard)) }
    if geometries { return try output.show(Self.geometryTable()) }
    let geometry = try shape.value()
    let tokens = try ListArgument.tokens(context, "--context")
    guard tokens.count == 1 else { throw UsageError("--context \(context): expected one number") }
    let chosen =
      try variants.map { try ListArgument.variants($0, on: geometry) } ?? Self.spread(on: geometry)
    try output.show(try Self.table(chosen, geometry: geometry, context: tokens[0]))
  }

  /// The variants of the default suite and of every other value, as far as the geometry takes them.
  static func spread(on geometry: ModelGeometry) throws -> [Variant] {
    let heads = geometry.queryHeads
    let group = stride(from: 2, to: heads, by: 1).filter { heads.isMultiple(of: $0) }
    let own = geometry.keyValueHeads
    let few = own > 1 && own < heads ? own : group.last ?? 1
    let quarter = max(2, heads / 4)
    let rope = max(2, geometry.latentHeads?.rope ?? min(64, geometry.headWidth))
    let rank = geometry.headWidth * 8
    var names = ["mha"]
    names += group.suffix(4).reversed().map { "gqa:\($0)" }
    names += [
      "mqa", "mla:\(rank)+\(rope)", "mla:\(rank / 2)+\(max(2, rope / 2))",
      "mla:\(rank)+\(max(2, geometry.headWidth / 4))x\(few)", "gqa:\(few)/cla:2", "mqa/cla:2",
      "mla:\(rank)+\(rope)/cla:2", "gqa:\(few)/swa:1024", "gqa:\(few)/swa:1024/sink:4",
      "gqa:\(few)/hybrid:5:1:1024", "gqa:\(few)/cla:2/hybrid:5:1:1024", "gqa:\(few)@f32",
      "gqa:\(few)@bf16", "gqa:\(few)@f16:bf16", "gqa:\(quarter)/hybrid:1:1:128/sink:4@bf16",
    ]
    var seen = Set<Variant>()
    return names.compactMap { name in
      guard let variant = try? AxisRegistry.standard.variant(name),
        (try? variant.layouts(for: geometry)) != nil, seen.insert(variant).inserted
      else { return nil }
      return variant
    }
  }

  private static func table(
    _ variants: [Variant], geometry: ModelGeometry, context: Int
  ) throws -> Table {
    let base = try KVPlan(
      geometry: geometry, variant: try AxisRegistry.standard.variant("mha"))
    let baseBytes = try base.idealBytes(context: context)
    var table = Table(columns: [
      .init("variant", .left), .init("bytes a token", key: "bytes_per_token"),
      .init("past windows", key: "bytes_per_token_past_windows"),
      .init("ratio to mha", key: "ratio_to_mha"), .init("stored", key: "stored_bytes"),
      .init("read a step", key: "read_bytes"), .init("FLOP/byte", key: "intensity"),
      .init("note", .left),
    ])
    for variant in variants {
      let plan = try KVPlan(geometry: geometry, variant: variant)
      let stored = try plan.idealBytes(context: context)
      table.append([
        Table.Cell(variant.notation), .whole(plan.idealBytesPerToken),
        .whole(plan.idealBytesPerTokenPastWindows),
        .ratio(Double(stored) / Double(baseBytes)), .bytes(stored),
        .bytes(try plan.readBytesPerStep(context: context)),
        .number(try plan.intensity(context: context)),
        Table.Cell(try variant.noop(for: geometry, context: context).map { "noop: \($0)" } ?? ""),
      ])
    }
    return table
  }

  private static func axisTable(_ registry: AxisRegistry) -> Table {
    var table = Table(columns: [
      .init("axis", .left), .init("value", .left), .init("meaning", .left),
    ])
    for value in registry.heads {
      table.append(["heads", Table.Cell(value.form), Table.Cell(value.summary)])
    }
    for value in registry.sharings {
      table.append(["sharing", Table.Cell(value.form), Table.Cell(value.summary)])
    }
    for value in registry.reaches {
      table.append(["reach", Table.Cell(value.form), Table.Cell(value.summary)])
    }
    table.append(["reach", Table.Cell(AttentionSinks.form), Table.Cell(AttentionSinks.summary)])
    for value in registry.codecs {
      table.append(["codec", Table.Cell(value.form), Table.Cell(value.summary)])
    }
    return table
  }

  private static func geometryTable() -> Table {
    var table = Table(columns: [
      .init("geometry", .left), .init("layers"), .init("hidden"),
      .init("query heads", key: "query_heads"), .init("head width", key: "head_width"),
      .init("own variant", key: "own_variant", .left), .init("parameters"),
    ])
    for preset in ModelPresets.all {
      let geometry = preset.geometry
      table.append([
        Table.Cell(geometry.name), .whole(geometry.layers), .whole(geometry.hidden),
        .whole(geometry.queryHeads), .whole(geometry.headWidth), Table.Cell(geometry.native),
        .whole(preset.published?.total),
      ])
    }
    return table
  }
}
