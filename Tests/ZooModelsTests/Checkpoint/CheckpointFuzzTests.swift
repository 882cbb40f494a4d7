import AttentionCore
import Foundation
import Testing
import ZooModels

/// Mutations of a text that reach past its first character: bytes, numbers and pieces.
private struct Mutator {
  var generator: SeededGenerator
  private static let numbers = [
    "-1", "0", "1", "3", "255", "65536", "2147483648", "4294967296", "4611686018427387904",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "-9223372036854775808",
    "1e308", "1e400", "0.5", "null", "[]", "{}", "\"F64\"", "true",
  ]
  private static let bytes = Array("{}[]\",:-0123456789eE.\\ unlF".utf8) + [0, 0x1f, 0x80, 0xff]

  mutating func mutate(_ original: [UInt8]) -> [UInt8] {
    var text = original
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      guard !text.isEmpty else { return text }
      let place = Int.random(in: 0..<text.count, using: &generator)
      switch Int.random(in: 0..<7, using: &generator) {
      case 0: text[place] = UInt8.random(in: 0...255, using: &generator)
      case 1: text[place] = Self.bytes.randomElement(using: &generator) ?? 0
      case 2: text.insert(Self.bytes.randomElement(using: &generator) ?? 0, at: place)
      case 3: text.remove(at: place)
      case 4:
        let end = min(text.count, place + Int.random(in: 1...40, using: &generator))
        text.insert(contentsOf: text[place..<end], at: Int.random(in: 0...place, using: &generator))
      case 5: text.removeSubrange(place..<min(text.count, place + 20))
      default: replaceNumber(&text, from: place)
      }
    }
    return text
  }

  /// Replaces the first run of digits after `place`.
  private mutating func replaceNumber(_ text: inout [UInt8], from place: Int) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let start = text[place...].firstIndex(where: digits.contains) else { return }
    let end = text[start...].firstIndex { !digits.contains($0) } ?? text.count
    let number = Self.numbers.randomElement(using: &generator) ?? ""
    text.replaceSubrange(start..<end, with: Array(number.utf8))
  }
}

@Suite("A mutated file is read or refused, and never ends the process")
struct CheckpointFuzzTests {
  /// Cases a test; `ZOO_FUZZ_CASES` asks for more.
  static let cases =
    ProcessInfo.processInfo.environment["ZOO_FUZZ_CASES"].flatMap { Int($0) } ?? 4_000

  /// Checks an error that a mutation led to.
  private func check(_ error: CheckpointError, path: String) {
    let line = error.description
    #expect(line.hasPrefix(path) && line.contains(", expected "))
    #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
    #expect(error.exitCode == 65)
  }

  @Test("safetensors headers and lengths")
  func safetensors() throws {
    let folder = try TemporaryFolder()
    let path = folder("model.safetensors")
    let header = Array(
      (#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,3],"#
        + #""data_offsets":[0,24]},"b":{"dtype":"BF16","shape":[4],"data_offsets":[24,32]},"#
        + #""c":{"dtype":"I64","shape":[1,1],"data_offsets":[32,40]},"#
        + #""e":{"dtype":"F16","shape":[0,9],"data_offsets":[40,40]}}"#).utf8)
    var mutator = Mutator(generator: SeededGenerator(seed: 20_260_101))
    var accepted = 0
    for round in 0..<Self.cases {
      let mutated = mutator.mutate(header)
      var bytes = safetensorsBytes(headerBytes: mutated, dataLength: 40)
      if round % 16 == 0 {
        bytes[Int.random(in: 0..<8, using: &mutator.generator)] = UInt8.random(
          in: 0...255, using: &mutator.generator)
      }
      if round % 16 == 1 {
        bytes.removeLast(Int.random(in: 1...bytes.count, using: &mutator.generator))
      }
      try folder.write(bytes, to: "model.safetensors")
      do {
        let file = try Safetensors(path: path)
        accepted += 1
        for name in file.names {
          let view = try file.tensor(named: name)
          #expect(view.byteCount == view.elementCount * view.dtype.byteWidth)
          #expect(view.withUnsafeBytes { $0.reduce(0) { $0 &+ Int($1) } } >= 0)
          if view.dtype.isFloatingPoint {
            #expect(try view.floats(checkFinite: false).count == view.elementCount)
          }
        }
      } catch {
        check(error, path: path)
      }
    }
    #expect(accepted > 0 && accepted < Self.cases, "the mutations reach both outcomes")
  }

  @Test("configurations")
  func configurations() throws {
    var config = tinyConfig()
    config.keyValueLatentRank = 4
    config.endTokenIDs = [1, 2]
    let text = Array(config.json.utf8)
    var mutator = Mutator(generator: SeededGenerator(seed: 7))
    var accepted = 0
    for _ in 0..<Self.cases {
      do {
        let read = try HFConfig(json: mutator.mutate(text), file: "config.json")
        accepted += 1
        #expect(read.headCount % read.keyValueHeadCount == 0)
        #expect(try HFConfig(json: Array(read.json.utf8), file: "again") == read)
      } catch {
        check(error, path: "config.json")
      }
    }
    #expect(accepted > 0 && accepted < Self.cases, "the mutations reach both outcomes")
  }

  @Test("configurations of every architecture", arguments: TransformersFixture.all)
  func configurations(fixture: TransformersFixture) throws {
    let text = Array(
      try Data(contentsOf: URL(fileURLWithPath: fixture.path + "/config.json")))
    var mutator = Mutator(generator: SeededGenerator(seed: 13))
    var accepted = 0
    for _ in 0..<Self.cases / 4 {
      do {
        let read = try HFConfig(json: mutator.mutate(text), file: "config.json")
        accepted += 1
        #expect(try HFConfig(json: Array(read.json.utf8), file: "again") == read)
        // Whatever was accepted has a notation, or is refused as one.
        let geometry = ModelGeometry(read, name: "mutated")
        _ = try? AxisRegistry.standard.variant(geometry.native).layouts(for: geometry)
      } catch {
        check(error, path: "config.json")
      }
    }
    #expect(accepted > 0 && accepted < Self.cases / 4, "the mutations reach both outcomes")
  }

  @Test("indices of sharded folders")
  func indices() throws {
    let folder = try TemporaryFolder()
    let single = try SafetensorsWriter(
      path: folder("s1"), tensors: [TensorDeclaration(name: "a", dtype: .f32, shape: [1])])
    try single.append([1], to: "a")
    try single.finish()
    let text = Array(#"{"metadata":{"total_size":4},"weight_map":{"a":"s1"}}"#.utf8)
    var mutator = Mutator(generator: SeededGenerator(seed: 11))
    for _ in 0..<Self.cases / 4 {
      try folder.write(mutator.mutate(text), to: "model.safetensors.index.json")
      do {
        let tensors = try ShardedTensors(folder: folder.path)
        for name in tensors.names { _ = try tensors.floats(named: name) }
      } catch {
        check(error, path: folder.path)
      }
    }
  }
}
