import ArgumentParser
import AttentionCore
import ZooHarness
import ZooLinearAlgebra
import ZooModels
import ZooPlanner
import ZooReports

/// `attnzoo plan`: what a device would do, by arithmetic.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Predicts bytes, step latency and the largest batch on a device; measures nothing.",
    discussion: """
      Latency is the roofline: bytes ÷ bandwidth or FLOPs ÷ peak, whichever is longer.

      Examples:
        attnzoo plan --geometry llama-3.1-8b --variants mha,gqa:8,mla:512+64 --device "H200 SXM" \
      --context 32k --batch 16
        attnzoo plan --model ./SmolLM2-135M --variants own,own@int8 --device "H200 SXM"
      """)

  @OptionGroup var shape: GeometryOption
  @Option(help: "Variants, separated by commas.")
  var variants: String = "mha,gqa:8,mqa,mla:512+64"
  @Option(help: "A device that `attnzoo plan --devices` lists.")
  var device: String = "H200 SXM"
  @Flag(help: "List the known devices instead.")
  var devices = false
  @Option(help: "Context, tokens.")
  var context: String = "8k"
  @Option(help: "Sequences decoded together.")
  var batch: Int = 1
  @Option(help: "How weights are stored: f32, f16, bf16 or int8.")
  var weights: WeightFormat = .bfloat16
  @OptionGroup var output: FormatOptions

  func run() throws {
    if devices { return try output.show(Self.deviceTable()) }
    guard batch > 0, batch <= 1 << 20 else {
      throw UsageError("--batch \(batch): expected 1 to 1,048,576")
    }
    let tokens = try ListArgument.tokens(context, "--context")
    guard tokens.count == 1 else { throw UsageError("--context \(context): expected one number") }
    let geometry = try shape.value()
    let traits = try shape.model.map { try ModelFolder($0).traits() } ?? .llama
    let device = try DeviceTable.device(named: device)
    var table = Table(columns: [
      .init("variant", .left), .init("weights"), .init("KV of all", key: "kv_bytes"),
      .init("attention ms", key: "attention_ms"), .init("bound", .left),
      .init("step ms", key: "step_ms"), .init("tokens/s", key: "tokens_per_s"),
      .init("largest batch", key: "max_batch"), .init("limited by", key: "limited_by", .left),
    ])
    for variant in try ListArgument.variants(variants, on: geometry) {
      let cache = try KVPlan(geometry: geometry, variant: variant)
      let weightPlan = try WeightPlan(
        geometry: geometry, variant: variant, traits: traits,
        bitsPerParameter: weights.bytesPerElement * 8)
      let step = try LatencyPlan(device: device, cache: cache, weights: weightPlan)
        .step(context: tokens[0], sequences: batch)
      let (ofAll, overflow) = try cache.idealBytes(context: tokens[0])
        .multipliedReportingOverflow(by: batch)
      guard !overflow else { throw PlannerError.overflow("cache bytes of the batch") }
      let (largest, limit) = try Self.largestBatch(
        variant, geometry: geometry, device: device, weightBytes: weightPlan.bytes,
        context: tokens[0])
      table.append([
        Table.Cell(variant.notation), .bytes(weightPlan.bytes),
        .bytes(ofAll),
        .number(step.attention.seconds * 1e3), Table.Cell(step.attention.bound.rawValue),
        .number(step.seconds * 1e3), .number(step.tokensPerSecond),
        .whole(largest), Table.Cell(limit),
      ])
    }
    try output.show(table)
  }

  /// The largest batch and what limits it; a device that does not even hold the weights has none.
  private static func largestBatch(
    _ variant: Variant, geometry: ModelGeometry, device: Device, weightBytes: Int, context: Int
  ) throws -> (sequences: Int?, limit: String) {
    guard let budget = device.memoryBytes else { return (nil, NumberText.missing) }
    do {
      let largest = try BatchPlanner.maxBatch(
        budget: budget, weights: weightBytes, layouts: try variant.layouts(for: geometry),
        storage: .ring, capacity: context)
      return (largest.sequences, largest.limitedBy.rawValue)
    } catch PlannerError.budgetBelowWeights {
      return (0, "weights")
    }
  }

  private static func deviceTable() -> Table {
    var table = Table(columns: [
      .init("device", .left), .init("memory"), .init("GB/s", key: "gb_per_s"),
      .init("peak TFLOP/s", key: "peak_tflop_per_s"), .init("ridge FLOP/byte", key: "ridge"),
    ])
    for device in DeviceTable.all {
      table.append([
        Table.Cell(device.name), .bytes(device.memoryBytes),
        .number(device.bytesPerSecond / 1e9, digits: 4),
        .number(device.peakFLOPsPerSecond.map { $0 / 1e12 }, digits: 4), .number(device.ridge),
      ])
    }
    return table
  }
}
