import ZooRecords

/// Rows as one wide table for spreadsheets and data frames.
public enum RowTable {
  /// One line a row in the given order, raw numbers in the units of the row contract, the same
  /// columns whatever the rows hold.
  ///
  /// A column is named after the row's field, its block before it: `kv.ideal_bytes`. Lists
  /// (`lengths`, `samples_ms`) are left out, they stay in the row file.
  public static func table(of rows: [ResultRow]) -> Table {
    Table(
      columns: fields.map { .init($0.name, key: $0.name, $0.alignment) },
      rows: rows.map { row in fields.map { $0.cell(row) } })
  }

  private struct Field: Sendable {
    let name: String
    let alignment: Table.Alignment
    let cell: @Sendable (ResultRow) -> Table.Cell
  }

  private static func words(
    _ name: String, _ value: @escaping @Sendable (ResultRow) -> String?
  ) -> Field {
    Field(name: name, alignment: .left) { Table.Cell(value($0) ?? "") }
  }

  private static func whole(
    _ name: String, _ value: @escaping @Sendable (ResultRow) -> Int?
  ) -> Field {
    Field(name: name, alignment: .right) { Table.Cell.raw(value($0).map(Double.init)) }
  }

  private static func number(
    _ name: String, _ value: @escaping @Sendable (ResultRow) -> Double?
  ) -> Field {
    Field(name: name, alignment: .right) { Table.Cell.raw(value($0)) }
  }

  private static let fields: [Field] =
    caseFields + byteFields + timeFields + outcomeFields
    + machineFields

  private static let caseFields: [Field] = [
    whole("schema") { $0.schema },
    words("case") { $0.caseID },
    words("status") { $0.status.rawValue },
    words("reason") { $0.reason },
    words("origin") { $0.origin.rawValue },
    words("scope") { $0.scope.rawValue },
    words("suite") { $0.suite },
    words("variant") { $0.variant },
    words("noop") { $0.noop },
    words("geometry.name") { $0.geometry.name },
    whole("geometry.layers") { $0.geometry.layers },
    whole("geometry.hidden") { $0.geometry.hidden },
    whole("geometry.query_heads") { $0.geometry.queryHeads },
    whole("geometry.kv_heads") { $0.geometry.kvHeads },
    whole("geometry.head_width") { $0.geometry.headWidth },
    whole("geometry.mlp") { $0.geometry.mlp },
    whole("geometry.vocabulary") { $0.geometry.vocabulary },
    whole("context") { $0.context },
    whole("batch") { $0.batch },
    whole("threads") { $0.threads },
    words("seed") { "\($0.seed)" },
    words("weights.dtype") { $0.weights?.dtype },
    words("weights.source") { $0.weights?.source },
    words("weights.hash") { $0.weights?.hash },
    words("cache.kind") { $0.cache?.kind.rawValue },
    whole("cache.page_size") { $0.cache?.pageSize },
    words("filled_by") { $0.filledBy?.rawValue },
  ]

  private static let byteFields: [Field] = [
    number("kv.ideal_bytes_per_token") { $0.kv?.idealBytesPerToken },
    whole("kv.ideal_bytes") { $0.kv?.idealBytes },
    whole("kv.allocated_bytes") { $0.kv?.allocatedBytes },
    whole("kv.metadata_bytes") { $0.kv?.metadataBytes },
    whole("kv.read_bytes_per_step") { $0.kv?.readBytesPerStep },
    whole("memory.weight_bytes") { $0.memory?.weightBytes },
    whole("memory.workspace_bytes") { $0.memory?.workspaceBytes },
    whole("memory.peak_rss_bytes") { $0.memory?.peakRSSBytes },
  ]

  private static let timeFields: [Field] = [
    whole("prefill.tokens") { $0.prefill?.tokens },
    number("prefill.ttft_ms") { $0.prefill?.ttftMs },
    number("prefill.tokens_per_s") { $0.prefill?.tokensPerSecond },
    whole("decode.steps") { $0.decode?.steps },
    number("decode.itl_ms.mean") { $0.decode?.itlMs?.mean },
    number("decode.itl_ms.p50") { $0.decode?.itlMs?.p50 },
    number("decode.itl_ms.p90") { $0.decode?.itlMs?.p90 },
    number("decode.itl_ms.p99") { $0.decode?.itlMs?.p99 },
    number("decode.itl_ms.max") { $0.decode?.itlMs?.max },
    number("decode.tokens_per_s") { $0.decode?.tokensPerSecond },
    number("decode.attention_ms") { $0.decode?.attentionMs },
    number("decode.append_ms") { $0.decode?.appendMs },
    number("decode.absorb_ms") { $0.decode?.absorbMs },
    number("decode.attention_flops") { $0.decode?.attentionFlops },
    number("decode.attention_intensity") { $0.decode?.attentionIntensity },
    number("decode.step_flops") { $0.decode?.stepFlops },
    number("decode.achieved_gb_per_s") { $0.decode?.achievedGBPerSecond },
    number("decode.achieved_gflop_per_s") { $0.decode?.achievedGFLOPPerSecond },
    number("decode.roofline_ms") { $0.decode?.rooflineMs },
    number("decode.roofline_fraction") { $0.decode?.rooflineFraction },
    number("decode.step_roofline_ms") { $0.decode?.stepRooflineMs },
    words("decode.bound") { $0.decode?.bound?.rawValue },
    words("decode.mla_path") { $0.decode?.mlaPath },
  ]

  private static let outcomeFields: [Field] = [
    whole("max_batch.budget_bytes") { $0.maxBatch?.budgetBytes },
    whole("max_batch.fixed_overhead_bytes") { $0.maxBatch?.fixedOverheadBytes },
    whole("max_batch.computed") { $0.maxBatch?.computed },
    whole("max_batch.measured") { $0.maxBatch?.measured },
    words("max_batch.limited_by") { $0.maxBatch?.limitedBy },
    number("max_batch.tokens_per_s_at_max") { $0.maxBatch?.tokensPerSecondAtMax },
    words("max_batch.tokens_per_s_origin") { $0.maxBatch?.rateOrigin?.rawValue },
    words("fidelity.kind") { $0.fidelity?.kind.rawValue },
    words("fidelity.reference") { $0.fidelity?.reference },
    number("fidelity.max_abs_error") { $0.fidelity?.maxAbsError },
    number("fidelity.mean_kl") { $0.fidelity?.meanKL },
    number("fidelity.p99_kl") { $0.fidelity?.p99KL },
    number("fidelity.top1_agreement") { $0.fidelity?.top1Agreement },
    number("fidelity.bits_per_byte") { $0.fidelity?.bitsPerByte },
    number("fidelity.nats_per_token") { $0.fidelity?.natsPerToken },
    number("fidelity.reference_bits_per_byte") { $0.fidelity?.referenceBitsPerByte },
    number("fidelity.bits_per_byte_change.low") { $0.fidelity?.bitsPerByteChange?.low },
    number("fidelity.bits_per_byte_change.high") { $0.fidelity?.bitsPerByteChange?.high },
    number("fidelity.reference_nats_per_token") { $0.fidelity?.referenceNatsPerToken },
    number("fidelity.nats_per_token_change.low") { $0.fidelity?.natsPerTokenChange?.low },
    number("fidelity.nats_per_token_change.high") { $0.fidelity?.natsPerTokenChange?.high },
    whole("fidelity.segments") { $0.fidelity?.segments },
  ]

  private static let machineFields: [Field] = [
    words("machine.cpu") { $0.machine.cpu },
    whole("machine.cores") { $0.machine.cores },
    words("machine.isa") { $0.machine.isa },
    whole("machine.memory_bytes") { $0.machine.memoryBytes },
    words("machine.huge_pages") { $0.machine.hugePages },
    words("machine.os") { $0.machine.os },
    words("machine.swift") { $0.machine.swift },
    words("machine.openblas") { $0.machine.openblas },
    words("machine.commit") { $0.machine.commit },
    words("machine.date") { $0.machine.date },
    number("machine.read_gb_per_s") { $0.machine.readGBPerSecond },
    number("machine.peak_gflop_per_s") { $0.machine.peakGFLOPPerSecond },
    words("machine.stable") { $0.machine.stable.map { $0 ? "true" : "false" } },
    words("command") { $0.command },
  ]
}
