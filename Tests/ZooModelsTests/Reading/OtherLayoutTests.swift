import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("The same weights in another folder layout are the same model")
struct OtherLayoutTests {
  /// Writes the fixture's tensors anew, each as `arrange` gives it, with an edited configuration.
  private func rewrite(
    _ fixture: TransformersFixture, to folder: TemporaryFolder,
    config change: (inout [String: Any]) -> Void,
    arrange: (_ name: String, _ shape: [Int], _ values: [Float]) -> [(String, [Int], [Float])]
  ) throws {
    let source = try fixture.folder()
    var tensors: [(String, [Int], [Float])] = []
    for name in source.names {
      let view = try source.tensor(named: name)
      tensors += arrange(name, view.shape, try view.floats())
    }
    let writer = try SafetensorsWriter(
      path: folder("model.safetensors"),
      tensors: tensors.map { TensorDeclaration(name: $0.0, dtype: .f32, shape: $0.1) })
    for (name, _, values) in tensors { try writer.append(values, to: name) }
    try writer.finish()
    let data = try Data(contentsOf: URL(fileURLWithPath: fixture.path + "/config.json"))
    var config = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    change(&config)
    try folder.write(
      Array(try JSONSerialization.data(withJSONObject: config)), to: "config.json")
  }

  private func check(_ folder: TemporaryFolder, is fixture: TransformersFixture) throws {
    let checkpoint = try CheckpointFolder(path: folder.path)
    let model = try DecoderModel(
      checkpoint: checkpoint, name: "rewritten", format: .float32, pool: WorkerPool(threads: 2))
    let (tokens, prefill, expected) = try fixture.expected()
    let actual = try logits(model, tokens, prefill: prefill)
    #expect(largestDifference(actual, expected) < 1e-4)
    #expect(checkpoint.parameterCount == model.parameters)
  }

  @Test(
    "the text of a multimodal model, under its prefix and with its own configuration",
    arguments: ["language_model.model.", "model.language_model."])
  func multimodal(prefix: String) throws {
    let folder = try TemporaryFolder()
    let fixture = TransformersFixture(name: "gemma3")
    try rewrite(fixture, to: folder) { config in
      var text = config
      text["architectures"] = nil
      config = [
        "architectures": ["Gemma3ForConditionalGeneration"], "model_type": "gemma3",
        "text_config": text, "vision_config": ["hidden_size": 8],
      ]
    } arrange: { name, shape, values in
      let renamed = prefix + name.dropFirst("model.".count)
      // A head that is stored although it is tied, and a part that sees.
      let extra: [(String, [Int], [Float])] =
        name.contains("embed_tokens")
        ? [("lm_head.weight", shape, values), ("vision_tower.patch.weight", [1], [7])] : []
      return [(renamed, shape, values)] + extra
    }
    try check(folder, is: fixture)
  }

  @Test("experts in one tensor for all")
  func stackedExperts() throws {
    let folder = try TemporaryFolder()
    let fixture = TransformersFixture(name: "qwen3-moe")
    // Gates and ups of an expert follow each other, experts one after the other.
    var gates: [String: [Int: [Float]]] = [:]
    var downs: [String: [Int: [Float]]] = [:]
    let (experts, width, hidden) = (7, 14, 36)
    try rewrite(fixture, to: folder) { _ in
    } arrange: { name, shape, values in
      guard let place = name.range(of: ".experts.") else { return [(name, shape, values)] }
      let layer = String(name[..<place.upperBound].dropLast())
      let rest = name[place.upperBound...].split(separator: ".")
      let expert = Int(rest[0]) ?? 0
      switch rest[1] {
      case "gate_proj": gates[layer, default: [:]][2 * expert] = values
      case "up_proj": gates[layer, default: [:]][2 * expert + 1] = values
      default: downs[layer, default: [:]][expert] = values
      }
      var result: [(String, [Int], [Float])] = []
      if let parts = gates[layer], parts.count == 2 * experts {
        gates[layer] = nil
        result.append(
          (
            layer + ".gate_up_proj", [experts, 2 * width, hidden],
            (0..<2 * experts).flatMap { parts[$0] ?? [] }
          ))
      }
      if let parts = downs[layer], parts.count == experts {
        downs[layer] = nil
        result.append(
          (
            layer + ".down_proj", [experts, hidden, width],
            (0..<experts).flatMap { parts[$0] ?? [] }
          ))
      }
      return result
    }
    try check(folder, is: fixture)
  }

  @Test("layers behind the last, for predicting several tokens, are left alone")
  func multiTokenPrediction() throws {
    let folder = try TemporaryFolder()
    let fixture = TransformersFixture(name: "deepseek-v3")
    try rewrite(fixture, to: folder) { config in
      config["num_nextn_predict_layers"] = 1
    } arrange: { name, shape, values in
      let own = (name, shape, values)
      guard name.contains("layers.2.") else { return [own] }
      return [own, (name.replacingOccurrences(of: "layers.2.", with: "layers.3."), shape, values)]
    }
    try check(folder, is: fixture)
  }
}
