import AttentionCore
import Foundation
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// Checks an error that a mutation led to: one line that begins with the file, and exit code 65.
func expectRefusal(_ error: CheckpointError, path: String) {
  let line = error.description
  #expect(line.hasPrefix(path) && line.contains(", expected "), Comment(rawValue: line))
  #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
  #expect(error.exitCode == 65, Comment(rawValue: line))
}

/// Whether `body` accepts its file; an error must be a refusal of the file at `path`.
func accepts(_ path: String, _ body: () throws -> Void) throws -> Bool {
  do {
    try body()
    return true
  } catch {
    guard let refusal = error as? CheckpointError else { throw error }
    expectRefusal(refusal, path: path)
    return false
  }
}

@Suite("A mutated checkpoint is read or refused, and never ends the process", .serialized)
struct CheckpointFuzzTests {
  private static let header = Array(
    (#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"#
      + #""data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"#
      + #""c":{"dtype":"I64","shape":[1,1],"data_offsets":[32,40]},"#
      + #""e":{"dtype":"F16","shape":[0,9],"data_offsets":[40,40]}}"#).utf8)

  /// Opens a file and touches every byte of every tensor.
  private func opens(_ bytes: [UInt8], path: String, _ folder: TemporaryFolder) throws -> Bool {
    try folder.write(bytes, to: "model.safetensors")
    return try accepts(path) {
      let file = try Safetensors(path: path)
      for name in file.names {
        let view = try file.tensor(named: name)
        #expect(view.byteCount == view.elementCount * view.dtype.byteWidth)
        #expect(view.withUnsafeBytes { $0.reduce(0) { $0 &+ Int($1) } } >= 0)
        if view.dtype.isFloatingPoint {
          #expect(try view.floats(checkFinite: false).count == view.elementCount)
        }
      }
    }
  }

  @Test("safetensors: mutated headers, lengths that lie, files cut short")
  func safetensors() throws {
    let folder = try TemporaryFolder()
    let path = folder("model.safetensors")
    try FuzzRun("safetensors", cases: 6_000).run { mutator in
      var bytes = safetensorsBytes(headerBytes: mutator.mutate(Self.header), dataLength: 40)
      if mutator.chance(12) {
        bytes[mutator.number(0..<8)] = UInt8(mutator.number(0..<256))
      }
      if mutator.chance(12) { bytes.removeLast(mutator.number(1..<bytes.count + 1)) }
      mutator.keep(bytes)
      return try opens(bytes, path: path, folder)
    }
  }

  @Test("safetensors: made-up types, shapes and offsets")
  func hostileHeaders() throws {
    let folder = try TemporaryFolder()
    let path = folder("model.safetensors")
    try FuzzRun("headers", cases: 6_000).run { mutator in
      let header = HostileHeader(&mutator)
      let bytes = safetensorsBytes(headerBytes: header.text, dataLength: header.dataLength)
      mutator.keep(bytes)
      return try opens(bytes, path: path, folder)
    }
  }

  @Test("configurations of every architecture")
  func configurations() throws {
    let folder = try TemporaryFolder()
    let fixtures = try ModelFixture.all(in: folder)
    try FuzzRun("config", cases: 8_000).run { mutator in
      let config = mutator.mutate(mutator.pick(fixtures).config)
      return try accepts("config.json") {
        let read = try HFConfig(json: config, file: "config.json")
        #expect(read.headCount % read.keyValueHeadCount == 0)
        #expect(try HFConfig(json: Array(read.json.utf8), file: "again") == read)
        let geometry = ModelGeometry(read, name: "fuzz")
        // What was accepted has a notation with layouts, or is refused as one.
        guard geometry.layers <= 1_024 else { return }
        do throws(NotationError) {
          _ = try AxisRegistry.standard.variant(geometry.native).layouts(for: geometry)
        } catch {}
      }
    }
  }

  @Test("whole folders: what loads also runs")
  func folders() throws {
    let folder = try TemporaryFolder()
    let fixtures = try ModelFixture.all(in: folder)
    let pool = WorkerPool(threads: 1)
    try FuzzRun("folder", cases: 600).run { mutator in
      let fixture = mutator.pick(fixtures)
      // Most changes leave the shapes alone: what is left to go wrong is the meaning.
      try Data(mutator.mutate(fixture.config))
        .write(to: URL(fileURLWithPath: fixture.folder + "/config.json"))
      return try accepts(fixture.folder) {
        let model = try DecoderModel(
          checkpoint: try CheckpointFolder(path: fixture.folder), name: "fuzz", pool: pool)
        let cache = try KVCache(
          layouts: model.layouts,
          plan: CachePlan(storage: .ring, sequences: 1, capacity: 24, maxChunk: 16))
        let sequence = try cache.addSequence()
        let tokens = (0..<20).map { Int32($0 % model.geometry.vocabulary) }
        let logits = try DecoderRunner(model: model, pool: pool)
          .prefill(tokens, sequence: sequence, cache: cache)
        #expect(logits.columns == model.geometry.vocabulary)
      }
    }
  }

  @Test("indices of sharded folders")
  func indices() throws {
    let folder = try TemporaryFolder()
    for name in ["s1", "s2"] {
      let writer = try SafetensorsWriter(
        path: folder(name), tensors: [TensorDeclaration(name: "a" + name, dtype: .f32, shape: [1])])
      try writer.append([1], to: "a" + name)
      try writer.finish()
    }
    let text = Array(
      #"{"metadata":{"total_size":8},"weight_map":{"as1":"s1","as2":"s2"}}"#.utf8)
    try FuzzRun("index", cases: 1_500).run { mutator in
      try folder.write(mutator.mutate(text), to: "model.safetensors.index.json")
      return try accepts(folder.path) {
        let tensors = try ShardedTensors(folder: folder.path)
        for name in tensors.names { _ = try tensors.floats(named: name) }
      }
    }
  }
}
