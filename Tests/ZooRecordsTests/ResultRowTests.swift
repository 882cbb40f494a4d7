import Foundation
import Testing
import ZooRecords

@Suite("A result row")
struct ResultRowTests {
  /// The names of every object of the contract.
  private static let contract: [String: [String]] = [
    "": [
      "schema", "case", "status", "reason", "origin", "scope", "suite", "variant", "noop",
      "geometry", "context", "batch", "lengths", "threads", "seed", "weights", "cache",
      "filled_by", "kv", "memory", "prefill", "decode", "max_batch", "fidelity", "machine",
      "command",
    ],
    "weights": ["dtype", "source", "hash"],
    "cache": ["kind", "page_size"],
    "kv": [
      "ideal_bytes_per_token", "ideal_bytes", "allocated_bytes", "metadata_bytes",
      "read_bytes_per_step",
    ],
    "memory": ["weight_bytes", "workspace_bytes", "peak_rss_bytes"],
    "prefill": ["tokens", "ttft_ms", "tokens_per_s"],
    "decode": [
      "steps", "itl_ms", "tokens_per_s", "samples_ms", "attention_ms", "append_ms", "absorb_ms",
      "attention_flops", "attention_intensity", "step_flops", "achieved_gb_per_s",
      "achieved_gflop_per_s", "roofline_ms", "roofline_fraction", "step_roofline_ms", "bound",
      "mla_path",
    ],
    "max_batch": [
      "budget_bytes", "fixed_overhead_bytes", "computed", "measured", "limited_by",
      "tokens_per_s_at_max",
    ],
    "fidelity": [
      "kind", "reference", "max_abs_error", "mean_kl", "p99_kl", "top1_agreement",
      "bits_per_byte", "nats_per_token", "reference_bits_per_byte",
    ],
    "machine": [
      "cpu", "cores", "isa", "memory_bytes", "huge_pages", "os", "swift", "openblas", "commit",
      "date", "read_gb_per_s", "peak_gflop_per_s", "stable",
    ],
  ]

  /// Names beyond the contract that reports read, all optional.
  private static let extras: [String: [String]] = [
    "decode": ["round"], "max_batch": ["tokens_per_s_origin"],
    "fidelity": [
      "bits_per_byte_change", "reference_nats_per_token", "nats_per_token_change", "segments",
      "stages",
    ],
  ]

  private func object(_ row: ResultRow) throws -> [String: Any] {
    let line = try RowCoding.line(of: row)
    return try #require(
      try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
  }

  @Test("has exactly the contract's names, and the few beyond it")
  func names() throws {
    let row = try object(MadeUpRow.full())
    for (block, names) in Self.contract {
      let found = block.isEmpty ? row : try #require(row[block] as? [String: Any])
      #expect(found.keys.sorted() == (names + (Self.extras[block] ?? [])).sorted())
    }
    let latency = (row["decode"] as? [String: Any])?["itl_ms"] as? [String: Any]
    #expect(latency?.keys.sorted() == ["max", "mean", "p50", "p90", "p99"])
  }

  @Test("leaves out what was not measured: no zero, no null")
  func absent() throws {
    let line = try RowCoding.line(of: MadeUpRow.bare())
    for name in ["reason", "noop", "kv", "decode", "prefill", "max_batch", "fidelity", "null"] {
      #expect(!line.contains("\"\(name)\""))
    }
    #expect(!line.contains("null"))
  }

  @Test("reads back the same, in the same bytes", arguments: [MadeUpRow.full(), MadeUpRow.bare()])
  func roundTrip(row: ResultRow) throws {
    let line = try RowCoding.line(of: row)
    let again = try RowCoding.row(from: Data(line.utf8), file: "rows", number: 1, strict: true)
    #expect(again == row)
    #expect(try RowCoding.line(of: again) == line)
    #expect(!line.contains("\n"))
  }

  @Test("writes numbers in the shortest form that reads back the same")
  func shortest() throws {
    let line = try RowCoding.line(of: MadeUpRow.full())
    #expect(line.contains("\"samples_ms\":[0.1,0.2,0.3333333333333333]"))
    #expect(line.contains("\"seed\":18446744073709551615"))
  }

  @Test("refuses a number that is not finite, by its place")
  func notFinite() {
    var row = MadeUpRow.full()
    row.decode?.attentionMs = .nan
    let error = #expect(throws: RecordError.self) { try RowCoding.line(of: row) }
    #expect(error?.place == "decode.attention_ms")
    #expect(error?.exitCode == 70)
  }

  @Test(
    "names the line, the field and the known words of an unknown word",
    arguments: [
      ("\"status\":\"ok\"", "\"status\":\"fine\"", "status", "does_not_fit"),
      ("\"scope\":\"step\"", "\"scope\":\"all\"", "scope", "max_batch"),
      ("\"bound\":\"compute\"", "\"bound\":\"cache\"", "decode.bound", "bandwidth, compute"),
      ("\"kind\":\"training_free\"", "\"kind\":\"good\"", "fidelity.kind", "healed"),
    ])
  func unknownWord(from: String, to: String, place: String, expected: String) throws {
    let line = try RowCoding.line(of: MadeUpRow.full()).replacing(from, with: to)
    let error = #expect(throws: RecordError.self) {
      try RowCoding.row(from: Data(line.utf8), file: "rows.jsonl", number: 7)
    }
    #expect(error?.place == "line 7, \(place)")
    #expect(error?.expected.contains(expected) == true)
    #expect(error?.exitCode == 65)
  }

  @Test("of another schema is refused, whatever else it holds")
  func schema() {
    let error = #expect(throws: RecordError.self) {
      try RowCoding.row(from: Data("{\"schema\":2}".utf8), file: "r", number: 1)
    }
    #expect(error?.description == "r: line 1, schema: expected 1, found 2: another version's rows")
  }

  @Test("may hold a field that is not known, unless read strictly")
  func unknownField() throws {
    let line = try RowCoding.line(of: MadeUpRow.full())
      .replacing("\"append_ms\":2", with: "\"append_ms\":2,\"apend_ms\":2")
    _ = try RowCoding.row(from: Data(line.utf8), file: "r", number: 1)
    let error = #expect(throws: RecordError.self) {
      try RowCoding.row(from: Data(line.utf8), file: "r", number: 1, strict: true)
    }
    #expect(error?.place == "line 1, decode.apend_ms")
  }

  @Test("tells the model's own variant from its heads")
  func ownVariant() {
    var geometry = MadeUpRow.geometry
    geometry.declaredVariant = nil
    #expect(geometry.ownVariant == "gqa:8")
    geometry.kvHeads = 32
    #expect(geometry.ownVariant == "mha")
    geometry.kvHeads = 1
    #expect(geometry.ownVariant == "mqa")
    geometry.declaredVariant = "mla:512+64"
    #expect(geometry.ownVariant == "mla:512+64")
  }
}
