import Foundation
import Testing
import ZooModels
import ZooRecords

/// A small checkpoint of so many tokens, with the tokenizer of a fixture where one is named.
private func writeModel(
  to folder: String, vocabulary: Int, tokenizer: String? = nil, shift: Float = 0,
  norm: Float = 1
) throws {
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  var config = HFConfig(
    hiddenSize: 32, layerCount: 2, headCount: 4, keyValueHeadCount: 2, intermediateSize: 48,
    vocabularySize: vocabulary, maximumPositions: 2048)
  config.endTokenIDs = [0]
  try config.write(to: folder + "/config.json")
  let tensors = LlamaTensorNames.tensors(of: config, dtype: .f32)
  let writer = try SafetensorsWriter(path: folder + "/model.safetensors", tensors: tensors)
  for (number, tensor) in tensors.enumerated() {
    let count = tensor.shape.reduce(1, *)
    let isNorm = tensor.shape.count == 1
    try writer.append(
      (0..<count).map { index in
        isNorm ? norm : Float((index * 7919 + number * 104_729) % 211) / 900 - 0.117 + shift
      }, to: tensor.name)
  }
  try writer.finish()
  if let tokenizer {
    let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../Fixtures/Tokenizers/\(tokenizer)/tokenizer.json")
    try Data(contentsOf: fixture).write(to: URL(fileURLWithPath: folder + "/tokenizer.json"))
  }
}

/// A `.npy` file of 32-bit ids.
private func numPy(_ ids: [Int]) -> [UInt8] {
  let header = "{'descr': '<i4', 'fortran_order': False, 'shape': (\(ids.count),), }\n"
  let data = ids.flatMap { id in (0..<4).map { UInt8(truncatingIfNeeded: id >> (8 * $0)) } }
  return [0x93] + Array("NUMPY".utf8) + [1, 0] + [UInt8(header.utf8.count), 0]
    + Array(header.utf8) + data
}

@Suite("A model's quality is measured on text or on token ids")
struct EvaluationTests {
  private static let text = (0..<700).map { "line \($0): the quick naïve fox's don't, 12\n" }
    .joined()

  private func row(_ path: String) throws -> ResultRow {
    try #require(try RowFile(path: path).rows.last)
  }

  // In a process of its own, where nothing else changes OpenBLAS's thread count.
  @Test("the original loses exactly nothing to itself")
  func original() throws {
    let folder = try TemporaryFolder()
    let ran = try Program(in: folder).run(
      ["eval", "--variants", "mha@f32", "--segments", "2", "--rows", "rows.jsonl"])
    #expect(ran.code == 0, Comment(rawValue: ran.errors))
    let score = try #require(try row(folder("rows.jsonl")).fidelity)
    #expect(score.meanKL == 0)
    #expect(score.top1Agreement == 1)
    #expect(try #require(score.bitsPerByte) == score.referenceBitsPerByte)
    #expect(score.bitsPerByteChange == ResultRow.Interval(low: 0, high: 0))
  }

  @Test(
    "a text through tokenizer.json gives bits per byte and nats per token; ids give the same nats")
  func textAndIDs() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeModel(to: folder("m"), vocabulary: 832, tokenizer: "llama3")
    try folder.write(Self.text, to: "text")
    let tokenizer = try BytePairTokenizer(path: folder("m/tokenizer.json"))
    let ids = tokenizer.encode(Self.text)
    try folder.write(numPy(ids), to: "ids.npy")
    let base = ["eval", "m", "--segments", "2"]
    let run = try program.run(base + ["--text", "text", "--rows", "a.jsonl"])
    #expect(run.code == 0, Comment(rawValue: run.errors))
    let byText = try row(folder("a.jsonl"))
    #expect(byText.status == .ok && byText.variant == "gqa:2")
    #expect(byText.weights?.source == "m")
    let fidelity = try #require(byText.fidelity)
    let nats = try #require(fidelity.natsPerToken)
    let scored = [512..<1024, 1536..<2048].flatMap { Array(ids[$0]) }
    let bytes = tokenizer.decode(scored).count
    #expect(
      abs(try #require(fidelity.bitsPerByte) - nats * 1024 / log(2) / Double(bytes)) < 1e-9)
    // The model knows nothing: about as good as a guess among its tokens.
    #expect(abs(nats - log(832)) < 1)
    #expect(fidelity.reference == "m gqa:2@f32")
    let change = try #require(fidelity.natsPerTokenChange)
    #expect(change.low <= change.high)

    try FileManager.default.removeItem(atPath: folder("m/tokenizer.json"))
    let byIDs = try program.run(base + ["--tokens", "ids.npy", "--rows", "b.jsonl"])
    #expect(byIDs.code == 0, Comment(rawValue: byIDs.errors))
    // A tokenizer of another kind is none, where ids are given.
    try folder.write(#"{"model":{"type":"Unigram"}}"#, to: "m/tokenizer.json")
    #expect(try program.run(base + ["--tokens", "ids.npy", "--rows", "c.jsonl"]).code == 0)
    let second = try #require(try row(folder("b.jsonl")).fidelity)
    #expect(try row(folder("c.jsonl")).fidelity == second)
    #expect(second.natsPerToken == nats && second.meanKL == fidelity.meanKL)
    #expect(second.bitsPerByte == nil)
    #expect(try row(folder("b.jsonl")).command.contains("--tokens ids.npy"))
  }

  @Test("a model against an original: the same one loses nothing, another something")
  func against() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeModel(to: folder("a"), vocabulary: 832, tokenizer: "gpt2")
    try writeModel(to: folder("b"), vocabulary: 832, shift: 0.01)
    try writeModel(to: folder("c"), vocabulary: 833)
    try folder.write(Self.text, to: "text")
    func score(_ folderName: String, _ more: String...) throws -> ResultRow {
      let run = try program.run(
        ["eval", folderName, "--against", "a", "--text", "text", "--segments", "2"] + more
          + ["--rows", "rows.jsonl"])
      #expect(run.code == 0, Comment(rawValue: run.errors))
      return try row(folder("rows.jsonl"))
    }
    let same = try score("a", "--variants", "own@f32")
    #expect(same.fidelity?.meanKL == 0 && same.fidelity?.top1Agreement == 1)
    #expect(same.fidelity?.natsPerTokenChange == .init(low: 0, high: 0))
    // Its text is read by the original's tokenizer, since it has none of its own.
    let other = try score("b", "--kind", "healed")
    #expect(other.fidelity?.kind == .healed && other.weights?.source == "b")
    #expect(other.fidelity?.reference == "a gqa:2@f32")
    #expect(try #require(other.fidelity?.meanKL) > 1e-6)
    #expect(other.fidelity?.referenceNatsPerToken == same.fidelity?.referenceNatsPerToken)
    #expect(try score("b").fidelity?.kind == .trainingFree)
    #expect(try RowFile(path: folder("rows.jsonl")).rows.count == 3)
    // The same again is not measured again.
    let again = try program.run(
      "eval", "b", "--against", "a", "--text", "text", "--segments", "2", "--rows", "rows.jsonl")
    #expect(again.code == 0 && again.errors.contains("not run again"))
    #expect(try RowFile(path: folder("rows.jsonl")).rows.count == 3)
    try program.refuses(
      ["eval", "c", "--against", "a", "--text", "text", "--rows", "x.jsonl"], 65,
      "c: vocabulary of 833, expected 832, that of a")
  }

  @Test("bytes, latency, largest batch and quality of a folder's variants in one report")
  func benchOfModel() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeModel(to: folder("m"), vocabulary: 832, tokenizer: "smollm")
    try folder.write(Self.text, to: "text")
    let run = try program.run(
      "bench", "--model", "m", "--variants", "own,own@int8,mqa", "--context", "256", "--steps",
      "20",
      "--seconds", "0.2", "--threads", "1", "--text", "text", "--segments", "1", "--budget",
      "weights+64MiB", "--output", "out")
    #expect(run.code == 0, Comment(rawValue: run.errors))
    let rows = try RowFile(path: folder("out/bench.jsonl")).rows
    for scope in [RowScope.attention, .step, .maxBatch, .fidelity] {
      #expect(
        Set(rows.filter { $0.scope == scope && $0.status == .ok }.map(\.variant))
          == ["gqa:2", "gqa:2@int8", "mqa"])
    }
    for row in rows where row.scope == .step || row.scope == .fidelity {
      #expect(row.weights?.source == "m" && row.weights?.hash?.isEmpty == false)
    }
    #expect(rows.allSatisfy { $0.command.contains("--model m") && $0.geometry.name == "m" })
    let report = String(decoding: try folder.bytes(of: "out/bench.md"), as: UTF8.self)
    let section = try #require(
      report.components(separatedBy: "m: bytes, latency, batch and quality side by side").last)
    for variant in ["gqa:2", "gqa:2@int8", "mqa"] {
      #expect(section.contains("| `\(variant)`"))
    }
  }

  @Test("a prompt is continued through the tokenizer")
  func generation() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeModel(to: folder("m"), vocabulary: 832, tokenizer: "llama3")
    let run = try program.run("generate", "--model", "m", "--prompt", "naïve ", "--tokens", "8")
    #expect(run.code == 0, Comment(rawValue: run.errors))
    #expect(run.text.hasPrefix("naïve "))
    #expect(run.output.count > 10)
    let planned = try program.run(
      "plan", "--model", "m", "--variants", "own,mqa", "--format", "csv")
    #expect(planned.code == 0 && planned.lines[1].hasPrefix("gqa:2,"))
  }

  @Test("a model whose logits are no numbers fails with a row that says so")
  func infiniteLogits() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeModel(to: folder("m"), vocabulary: 256, norm: 3e38)
    let run = try program.run("eval", "m", "--segments", "1", "--rows", "rows.jsonl")
    #expect(run.code == 1, Comment(rawValue: run.errors))
    let row = try row(folder("rows.jsonl"))
    #expect(row.status == .failed && row.reason?.contains("NaN or infinity") == true)
    #expect(row.fidelity == nil)
  }

  @Test("what cannot be scored is refused by one line")
  func refusals() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try writeModel(to: folder("m"), vocabulary: 832)
    try folder.write(Self.text, to: "text")
    try folder.write(numPy(Array(repeating: 3, count: 1023) + [832]), to: "ids.npy")
    try folder.write(numPy(Array(repeating: 3, count: 1000)), to: "short.npy")
    let rows = ["--rows", "rows.jsonl"]
    try program.refuses(
      ["eval", "m", "--text", "text"] + rows, 66, "m/tokenizer.json", "found no such file")
    try program.refuses(
      ["generate", "--model", "m", "--prompt", "a"], 66, "m/tokenizer.json", "832")
    try program.refuses(["eval", "m", "--tokens", "absent.npy"] + rows, 66, "absent.npy")
    try program.refuses(["eval", "m", "--tokens", "text"] + rows, 65, "text", ".npy")
    try program.refuses(
      ["eval", "m", "--tokens", "ids.npy"] + rows, 65, "ids.npy: token 1023: found id 832")
    try program.refuses(
      ["eval", "m", "--tokens", "short.npy"] + rows, 65, "short.npy: 1000 tokens", "1024")
    try program.refuses(
      ["eval", "m", "--tokens", "ids.npy", "--text", "text"] + rows, 64, "expected one of them")
    try program.refuses(["eval", "m", "--model", "m"] + rows, 64, "expected one of them")
    try program.refuses(["eval", "m", "--against", "absent"] + rows, 66, "absent")
    try program.refuses(
      ["bench", "--variants", "mha", "--text", "text"] + rows, 64, "need --model")
    try folder.write(#"{"version":"1.0","model":{"type":"Unigram"}}"#, to: "m/tokenizer.json")
    try program.refuses(
      ["eval", "m", "--text", "text"] + rows, 65, "m/tokenizer.json", "ByteLevel")
  }
}
