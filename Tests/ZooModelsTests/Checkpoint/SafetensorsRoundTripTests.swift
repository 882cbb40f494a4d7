import Foundation
import Testing
import ZooModels

@Suite("What a safetensors file is given, it gives back")
struct SafetensorsRoundTripTests {
  @Test("tensors of every float type, whatever the order they are filled in")
  func mixedTypes() throws {
    let folder = try TemporaryFolder()
    let values: [Float] = [0, -0.0, 1, -2.5, 0.15625, 1024]
    let path = folder("model.safetensors")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        TensorDeclaration(name: "half", dtype: .f16, shape: [2, 3]),
        TensorDeclaration(name: "single", dtype: .f32, shape: [6]),
        TensorDeclaration(name: "brain \"é\"\n", dtype: .bf16, shape: [3, 1, 2]),
        TensorDeclaration(name: "ids", dtype: .i64, shape: [2]),
        TensorDeclaration(name: "scalar", dtype: .f32, shape: []),
        TensorDeclaration(name: "empty", dtype: .f32, shape: [0, 4]),
      ], metadata: ["format": "pt", "a": "b"])
    try writer.append(values, to: "brain \"é\"\n")
    try writer.append(Array(values[..<2]), to: "single")
    try writer.append(Array(values[2...]), to: "single")
    try writer.append(values, to: "half")
    try writer.append([7], to: "scalar")
    try [Int64(5), -6].withUnsafeBytes { try writer.append(bytes: $0, to: "ids") }
    #expect(!FileManager.default.fileExists(atPath: path))
    try writer.finish()
    #expect(try folder.contents == ["model.safetensors"])

    let file = try Safetensors(path: path)
    #expect(
      file.names == ["ids", "single", "scalar", "empty", "half", "brain \"é\"\n"],
      "by element width, then as declared")
    #expect(file.metadata == ["format": "pt", "a": "b"])
    for name in ["single", "half", "brain \"é\"\n"] {
      #expect(try file.floats(named: name).map(\.bitPattern) == values.map(\.bitPattern))
      let view = try file.tensor(named: name)
      #expect(UInt(bitPattern: view.bytes.baseAddress) % UInt(view.dtype.byteWidth) == 0)
    }
    #expect(try file.floats(named: "scalar", expectedShape: []) == [7])
    #expect(try file.floats(named: "empty", expectedShape: [0, 4]) == [])
    let ids = try file.tensor(named: "ids")
    #expect(ids.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: Int64.self) } == -6)
    #expect(ids.byteCount == 16 && ids.elementCount == 2 && ids.dtype == .i64 && ids.shape == [2])
  }

  @Test("the bytes are a function of declarations and elements alone")
  func deterministicBytes() throws {
    let folder = try TemporaryFolder()
    let tensors = ["b", "a", "c"].map { TensorDeclaration(name: $0, dtype: .f32, shape: [2]) }
    for (file, order) in [("1", ["a", "b", "c"]), ("2", ["c", "a", "b"])] {
      let writer = try SafetensorsWriter(
        path: folder(file), tensors: tensors, metadata: ["x": "1", "y": "2", "z": "3"])
      for name in order { try writer.append([1, Float(name.utf8.first ?? 0)], to: name) }
      try writer.finish()
    }
    let first = try Data(contentsOf: URL(fileURLWithPath: folder("1")))
    #expect(try first == Data(contentsOf: URL(fileURLWithPath: folder("2"))))
    #expect(first[0] % 8 == 0, "data starts at a multiple of 8")
    let header = String(decoding: first[8..<8 + Int(first[0])], as: UTF8.self)
    #expect(
      header.hasPrefix(#"{"__metadata__":{"x":"1","y":"2","z":"3"},"b":{"dtype":"F32","#))
    #expect(try Safetensors(path: folder("1")).names == ["b", "a", "c"])
  }

  @Test("a view outlives the file object, and the file its name")
  func lifetime() throws {
    let folder = try TemporaryFolder()
    let writer = try SafetensorsWriter(
      path: folder("f"), tensors: [TensorDeclaration(name: "a", dtype: .f32, shape: [5000])])
    let values = (0..<5000).map { Float($0) }
    try writer.append(values, to: "a")
    try writer.finish()
    let view = try Safetensors(path: folder("f")).tensor(named: "a")
    try FileManager.default.removeItem(atPath: folder("f"))
    #expect(try view.floats() == values)
    view.releasePages()
    #expect(try view.floats() == values)
  }

  @Test("a part of a tensor decodes by itself, and into memory of the caller")
  func ranges() throws {
    let folder = try TemporaryFolder()
    let writer = try SafetensorsWriter(
      path: folder("f"), tensors: [TensorDeclaration(name: "a", dtype: .bf16, shape: [4, 25])])
    try writer.append((0..<100).map { Float($0) }, to: "a")
    try writer.finish()
    let file = try Safetensors(path: folder("f"))
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 100)
    defer { memory.deallocate() }
    try file.tensor(named: "a").copyFloats(25..<50, into: memory)
    #expect((0..<25).allSatisfy { memory[$0] == Float($0 + 25) })
    try file.copyFloats(named: "a", expectedShape: [4, 25], into: memory)
    #expect((0..<100).allSatisfy { memory[$0] == Float($0) })
  }

  @Test("a missing tensor, another shape and integers where floats are needed are named")
  func accessErrors() throws {
    let folder = try TemporaryFolder()
    let path = folder("f")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        TensorDeclaration(name: "a", dtype: .f32, shape: [1, 2]),
        TensorDeclaration(name: "i", dtype: .u8, shape: [1]),
      ])
    try writer.append([1, 2], to: "a")
    try [UInt8(3)].withUnsafeBytes { try writer.append(bytes: $0, to: "i") }
    try writer.finish()
    let file = try Safetensors(path: path)
    let absent = try #require(throws: CheckpointError.self) { try file.tensor(named: "x") }
    #expect(
      absent.description
        == "\(path): tensor \"x\": found no such tensor among 2, expected one of this name")
    #expect(absent.exitCode == 65)
    let shape = try #require(throws: CheckpointError.self) {
      try file.floats(named: "a", expectedShape: [2, 1])
    }
    #expect(shape.description == "\(path): tensor \"a\": found shape [1, 2], expected [2, 1]")
    let type = try #require(throws: CheckpointError.self) { try file.floats(named: "i") }
    #expect(
      type.description
        == "\(path): tensor \"i\": found elements of type U8, "
        + "expected a floating-point element type")
  }

  @Test("a writer that is not finished, over-filled or mis-declared leaves nothing")
  func writerContract() throws {
    let folder = try TemporaryFolder()
    let tensor = TensorDeclaration(name: "a", dtype: .f16, shape: [2])
    do {
      let writer = try SafetensorsWriter(path: folder("f"), tensors: [tensor])
      try writer.append([1], to: "a")
      let early = try #require(throws: CheckpointError.self) { try writer.finish() }
      #expect(
        early.description == "\(folder("f")): tensor \"a\": found 1 elements, expected 2")
      #expect(early.exitCode == 70)
      #expect(throws: CheckpointError.self) { try writer.append([1, 2], to: "a") }
      #expect(throws: CheckpointError.self) { try writer.append([1], to: "b") }
      let large = try #require(throws: CheckpointError.self) {
        try writer.append([70_000], to: "a")
      }
      #expect(
        large.description
          == "\(folder("f")): tensor \"a\", element 1: found 70000.0, "
          + "expected a value within the range of F16")
    }
    #expect(throws: CheckpointError.self) {
      try SafetensorsWriter(path: folder("f"), tensors: [tensor, tensor])
    }
    #expect(throws: CheckpointError.self) {
      try SafetensorsWriter(
        path: folder("f"), tensors: [TensorDeclaration(name: "a", dtype: .f16, shape: [-1])])
    }
    #expect(try folder.contents.isEmpty)
    let unwritable = try #require(throws: CheckpointError.self) {
      try SafetensorsWriter(path: folder("no/such/folder"), tensors: [tensor])
    }
    #expect(unwritable.exitCode == 73)
    #expect(unwritable.description.hasPrefix(folder("no/such/folder") + ": found "))
  }
}
