import Foundation
import Testing
import ZooModels

@Suite("convert writes a whole folder and says what was lost, or writes nothing")
struct ConvertTests {
  private static let fast = ["--calibration-tokens", "2k", "--evaluation-segments", "1"]

  @Test("the embedded model to MLA: losses, a record, a folder that is evaluated like any other")
  func embedded() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let ending = try program.run(
      ["convert", "embedded", "--to", "mla:96+16", "--out", "mla", "--format", "json"] + Self.fast)
    #expect(ending.code == 0, "\(ending.errors)")
    let data = Data(ending.output)
    let record = try #require(
      try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let written = try Data(contentsOf: URL(fileURLWithPath: folder("mla/conversion.json")))
    #expect(written == data)
    #expect(record["variant"] as? String == "mla:96+16")
    #expect(record["written_as"] as? String == "deepseek")
    #expect((record["command"] as? String)?.hasPrefix("attnzoo convert embedded") == true)
    let layers = try #require(record["layers"] as? [[String: Any]])
    #expect(layers.count == 6)
    // A channel of the latent holds the constant.
    #expect(layers.allSatisfy { $0["rank"] as? Int == 95 })
    #expect(layers.allSatisfy { ($0["output_error"] as? Double ?? 0) > 0 })
    let model = try #require(record["model"] as? [String: Any])
    func bits(_ name: String) -> Double {
      (model[name] as? [String: Any])?["bits_per_byte"] as? Double ?? .nan
    }
    #expect(bits("original") < bits("split") && bits("split") < bits("reduced") + 0.01)
    let inspected = try program.run("inspect", "mla")
    #expect(inspected.text.contains("mla:96+16"), "\(inspected.errors)")
    let config = try HFConfig(path: folder("mla/config.json"))
    #expect(config.architecture.name == "DeepseekV3ForCausalLM")
  }

  @Test("a budget becomes a list of ranks within it, in the package's own form")
  func budget() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    let ending = try program.run(
      ["convert", "embedded", "--to", "mla:256+16", "--kv-bytes", "960", "--out", "spread"]
        + Self.fast)
    #expect(ending.code == 0, "\(ending.errors)")
    let inspected = try program.run("inspect", "spread")
    #expect(inspected.code == 0 && inspected.text.contains("[mla:"), "\(inspected.errors)")
    let bytes = inspected.lines.first { $0.hasSuffix(" bytes a token") }?
      .split(separator: " ").first.flatMap { Int($0) }
    #expect(try #require(bytes) <= 960 && #require(bytes) > 960 - 16)
  }

  @Test("several targets are compared and nothing is written")
  func comparison() throws {
    let folder = try TemporaryFolder()
    let ending = try Program(in: folder).run(
      [
        "convert", "embedded", "--to", "mla:64+16,gqa:4", "--methods", "calibrated,weights-only",
        "--format", "csv",
      ] + Self.fast)
    #expect(ending.code == 0, "\(ending.errors)")
    // Methods make no difference to grouped heads.
    #expect(ending.lines.count == 4)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }

  @Test("what cannot be converted is refused by one line and nothing is written")
  func refusals() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    func refuses(_ arguments: [String], _ code: Int32, _ part: String) throws {
      try program.refuses(
        ["convert", "embedded"] + arguments + ["--out", "out"], code, part)
    }
    try refuses(["--to", "mla:300+16"], 65, "rank 299 is larger than the matrix; at most 256")
    try refuses(["--to", "mla:64+24", "--frequencies", "stock"], 65, "divides the head's 32")
    try refuses(["--to", "mla:64+16x3"], 65, "expected a divisor of 8")
    try refuses(["--to", "gqa:3"], 65, "expected a divisor of 8")
    try refuses(["--to", "mla:64+15"], 64, "mla:64+15")
    try refuses(
      ["--to", "mla:100+16", "--calibration-tokens", "50"], 65,
      "50 calibration tokens are too few for rank 99")
    try refuses(["--to", "mla:64+16", "--fold", "3"], 65, "a fold of 3 is not possible")
    try refuses(["--to", "mla:64+16", "--kv-bytes", "100"], 65, "the narrowest latents take")
    try refuses(["--to", "mla:64+16", "--calibration-tokens", "1m"], 65, "expected at least")
    try refuses(["--to", "mla:64+16,mqa"], 64, "--out takes one target")
    try refuses(["--to", "mla:64+16", "--energy", "2"], 64, "--energy 2.0")
    try refuses(["--to", "mla:64+16", "--tokens", "none.npy"], 66, "none.npy")
    try refuses(["--to", "mla:64+16x8", "--form", "published"], 65, "RoPE slice")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    try FileManager.default.createDirectory(
      atPath: folder("out"), withIntermediateDirectories: true)
    try folder.write("mine", to: "out/file")
    try refuses(["--to", "mla:64+16"], 65, "expected a folder that is empty or not there yet")
  }

  @Test("ctrl-C leaves nothing half-written")
  func interruption() throws {
    let folder = try TemporaryFolder()
    let ending = try Program(in: folder).interrupt(
      ["convert", "embedded", "--to", "mla:64+16", "--out", "out", "--calibration-tokens", "48k"]
    ) {
      (try? FileManager.default.contentsOfDirectory(atPath: folder.path))?
        .contains { $0.contains("partial") } ?? false
    }
    #expect(ending.code == 130, "\(ending.errors)")
    #expect(ending.errors.contains("nothing was written"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
  }
}
