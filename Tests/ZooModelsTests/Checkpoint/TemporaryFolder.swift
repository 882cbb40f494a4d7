import Foundation

/// A folder of its own for one test, removed at the end.
final class TemporaryFolder: Sendable {
  let path: String

  init() throws {
    // In memory where there is such a place: the tests write thousands of small files.
    let memory = "/dev/shm"
    let base =
      FileManager.default.isWritableFile(atPath: memory)
      ? memory : FileManager.default.temporaryDirectory.path
    path = base + "/zoo-checkpoint-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of `name` in the folder.
  func callAsFunction(_ name: String) -> String { path + "/" + name }

  /// Writes `bytes` to `name` and returns the path.
  @discardableResult
  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: self(name)))
    return self(name)
  }

  /// Writes `text` to `name` and returns the path.
  @discardableResult
  func write(_ text: String, to name: String) throws -> String {
    try write(Array(text.utf8), to: name)
  }

  /// The names in the folder, sorted.
  var contents: [String] {
    get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
  }
}

/// A safetensors file with `header` as its text, and `dataLength` bytes 0, 1, 2, … of data.
func safetensorsBytes(header: String, dataLength: Int) -> [UInt8] {
  safetensorsBytes(headerBytes: Array(header.utf8), dataLength: dataLength)
}

/// A safetensors file with `headerBytes` as its header.
func safetensorsBytes(headerBytes: [UInt8], dataLength: Int) -> [UInt8] {
  lengthField(UInt64(headerBytes.count)) + headerBytes
    + (0..<dataLength).map { UInt8(truncatingIfNeeded: $0) }
}

/// `length` as the first 8 bytes of a safetensors file.
func lengthField(_ length: UInt64) -> [UInt8] {
  (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) }
}

/// SplitMix64: the same sequence for the same seed, everywhere.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
