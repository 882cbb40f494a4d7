import Synchronization
import ZooLinearAlgebra
import ZooMemory

/// Reads tensors of a folder as weights and hashes what it reads.
final class CheckpointTensors: Sendable {
  let folder: CheckpointFolder
  let format: WeightFormat?
  let pool: WorkerPool
  private let hashes = Mutex<[String: UInt64]>([:])

  init(folder: CheckpointFolder, format: WeightFormat?, pool: WorkerPool) {
    self.folder = folder
    self.format = format
    self.pool = pool
  }

  /// The hash of all tensors read so far, whatever the order and however often.
  var hash: String {
    hashes.withLock { hashes in
      var all = ContentHash()
      for (name, hash) in hashes.sorted(by: { $0.key < $1.key }) {
        all.combine(name)
        all.combine(hash)
      }
      return all.hexadecimal
    }
  }

  func note(_ hash: UInt64, of name: String) { hashes.withLock { $0[name] = hash } }

  func vector(_ name: String, _ count: Int) throws -> [Float] {
    let values = try folder.floats(named: name, expectedShape: [count])
    var hash = ContentHash()
    values.withUnsafeBytes { hash.combine($0) }
    note(hash.state, of: name)
    return values
  }

  func matrix(_ name: String, _ shape: [Int]) throws -> WeightMatrix {
    let tensor = try folder.tensor(named: name, shape: shape)
    let stored: WeightFormat
    switch tensor.dtype {
    case .f32: stored = .float32
    case .f16: stored = .float16
    case .bf16: stored = .bfloat16
    default:
      throw CheckpointError(
        kind: .unsupported, file: tensor.file, place: name, found: tensor.dtype.rawValue,
        expected: "F32, F16 or BF16")
    }
    let weight = try tensor.withUnsafeBytes { bytes throws -> WeightMatrix in
      guard let base = bytes.baseAddress else { throw OutOfMemory(bytes: 0) }
      var hash = ContentHash()
      hash.combine(bytes)
      note(hash.state, of: name)
      return try WeightMatrix(
        outputs: shape[0], inputs: shape[1], format: format ?? stored, copying: base,
        storedAs: stored, pool: pool)
    }
    if let place = weight.firstNonFinite() {
      throw CheckpointError(
        kind: .nonFinite, file: tensor.file, place: "\(name)[\(place.output), \(place.input)]",
        found: "NaN or infinity", expected: "a finite weight")
    }
    return weight
  }
}

/// FNV-1a over 8-byte words: tells weights apart, no defence against an adversary.
struct ContentHash {
  private(set) var state: UInt64 = 0xCBF2_9CE4_8422_2325

  mutating func combine(_ bytes: UnsafeRawBufferPointer) {
    var offset = 0
    while offset + 8 <= bytes.count {
      combine(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      offset += 8
    }
    while offset < bytes.count {
      combine(UInt64(bytes[offset]))
      offset += 1
    }
    combine(UInt64(bytes.count))
  }

  mutating func combine(_ text: String) {
    for byte in text.utf8 { combine(UInt64(byte)) }
    combine(UInt64(text.utf8.count))
  }

  mutating func combine(_ word: UInt64) {
    state = (state ^ word) &* 0x0000_0100_0000_01B3
    state ^= state >> 29
  }

  var hexadecimal: String {
    let text = String(state, radix: 16)
    return String(repeating: "0", count: 16 - text.count) + text
  }
}
