import Synchronization
import ZooLinearAlgebra
import ZooMemory

/// Reads tensors of a folder as weights. What it reads it checks for its shape and for finite values,
/// and hashes, in the pass that copies it.
final class CheckpointTensors: Sendable {
  let folder: CheckpointFolder
  let format: WeightFormat?
  let pool: WorkerPool
  /// What the names of the text model's tensors begin with, in the place of `model.`.
  private let prefix: String
  private let hashes = Mutex<[String: UInt64]>([:])

  /// Where multimodal checkpoints keep their text model.
  private static let prefixes = ["model.", "model.language_model.", "language_model.model.", ""]

  init(folder: CheckpointFolder, format: WeightFormat?, pool: WorkerPool) {
    self.folder = folder
    self.format = format
    self.pool = pool
    prefix = Self.prefix(of: folder)
  }

  /// What the names of the text model's tensors begin with in a folder.
  static func prefix(of folder: CheckpointFolder) -> String {
    prefixes.first { folder.contains($0 + "embed_tokens.weight") } ?? prefixes[0]
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

  /// `name` as this folder has it.
  func resolve(_ name: String) -> String {
    if name.hasPrefix("model.") { return prefix + name.dropFirst("model.".count) }
    let nested = "language_model." + name
    return !folder.contains(name) && folder.contains(nested) ? nested : name
  }

  func contains(_ name: String) -> Bool { folder.contains(resolve(name)) }

  func tensor(_ name: String, _ shape: [Int]) throws(CheckpointError) -> TensorView {
    try folder.tensor(named: resolve(name), shape: shape)
  }

  func vector(_ name: String, _ count: Int) throws -> [Float] {
    let values = try tensor(name, [count]).floats()
    var hash = ContentHash()
    values.withUnsafeBytes { hash.combine($0) }
    note(hash.state, of: name)
    return values
  }

  /// The projection called `name`, without the ending `.weight`.
  func linear(_ name: String, _ shape: [Int], bias: Bool = false) throws -> Linear {
    Linear(
      weight: try matrix(name + ".weight", shape),
      bias: bias ? try vector(name + ".bias", shape[0]) : nil)
  }

  /// A matrix of any stored format. The file's pages go back to the system, so that a model that is
  /// read layer by layer does not stay in memory as a file.
  func matrix(_ name: String, _ shape: [Int]) throws -> WeightMatrix {
    let tensor = try tensor(name, shape)
    defer { tensor.releasePages() }
    guard let stored = WeightFormat(tensor.dtype) else {
      let blocks = try scaledBlocks(name, tensor)
      return try decoded(
        name, outputs: shape[0], inputs: shape[1], format: format ?? .bfloat16, of: tensor
      ) { blocks.decode(rows: $0, to: $1) }
    }
    return try copy(tensor, rows: 0..<shape[0], inputs: shape[1], stored: stored, hashedAs: name)
  }

  /// The elements of a matrix of any stored format in float32, for weights that are arranged anew.
  func floats(_ name: String, _ shape: [Int]) throws -> (
    values: AlignedBuffer, format: WeightFormat
  ) {
    let tensor = try tensor(name, shape)
    let count = shape.reduce(1, *)
    let values = try AlignedBuffer(count: count * MemoryLayout<Float>.stride)
    let target = values.pointer(to: Float.self)
    if let stored = WeightFormat(tensor.dtype) {
      try tensor.copyFloats(into: target)
      noteValues(target, count: count, of: name)
      return (values, format ?? stored)
    }
    try scaledBlocks(name, tensor).decode(rows: 0..<shape[0], to: target)
    if let bad = NonFinite.index(target, count: count) {
      throw tensor.nonFinite([bad / shape[1], bad % shape[1]])
    }
    noteValues(target, count: count, of: name)
    return (values, format ?? .bfloat16)
  }

  func noteValues(_ values: UnsafePointer<Float>, count: Int, of name: String) {
    var hash = ContentHash()
    hash.combine(UnsafeRawBufferPointer(start: values, count: count * 4))
    note(hash.state, of: name)
  }

  /// A matrix from consecutive rows of a tensor, which are hashed and checked as they are copied.
  func copy(
    _ tensor: TensorView, rows: Range<Int>, inputs: Int, stored: WeightFormat, hashedAs name: String
  ) throws -> WeightMatrix {
    let progress = ReadProgress(
      blocks: WeightMatrix.blocks(outputs: rows.count, inputs: inputs))
    let matrix = try tensor.withUnsafeBytes { bytes throws -> WeightMatrix in
      guard let base = bytes.baseAddress else { throw OutOfMemory(bytes: 0) }
      return try WeightMatrix(
        outputs: rows.count, inputs: inputs, format: format ?? stored,
        copying: base + rows.lowerBound * inputs * stored.bytesPerElement, storedAs: stored,
        pool: pool
      ) { block, elements, bytes in
        progress.see(
          block: block, bytes,
          nonFinite: NonFinite.index(bytes, stored).map { elements.lowerBound + $0 })
      }
    }
    if let bad = progress.firstNonFinite {
      throw tensor.nonFinite([rows.lowerBound + bad / inputs, bad % inputs])
    }
    note(progress.hash, of: name)
    return matrix
  }

  /// A matrix whose rows `decode` makes; they are hashed and checked while they are in the cache.
  func decoded(
    _ name: String, outputs: Int, inputs: Int, format: WeightFormat, of tensor: TensorView,
    _ decode: (Range<Int>, UnsafeMutablePointer<Float>) -> Void
  ) throws -> WeightMatrix {
    let rows = WeightMatrix.decodedRows(inputs: inputs)
    let progress = ReadProgress(blocks: (outputs + rows - 1) / rows)
    let matrix = try WeightMatrix(
      outputs: outputs, inputs: inputs, format: format, pool: pool
    ) { range, target in
      decode(range, target)
      let count = range.count * inputs
      progress.see(
        block: range.lowerBound / rows,
        UnsafeRawBufferPointer(start: target, count: count * 4),
        nonFinite: NonFinite.index(target, count: count).map { range.lowerBound * inputs + $0 })
    }
    if let bad = progress.firstNonFinite { throw tensor.nonFinite([bad / inputs, bad % inputs]) }
    note(progress.hash, of: name)
    return matrix
  }

  /// 8-bit floats with a factor a block.
  private func scaledBlocks(
    _ name: String, _ tensor: TensorView
  ) throws(CheckpointError) -> BlockScaledWeights {
    let scales = name + "_scale_inv"
    guard tensor.dtype == .f8e4m3,
      case .blockFP8(let rows, let columns)? = folder.config.quantisation
    else {
      throw CheckpointError(
        kind: .unsupported, file: tensor.file, place: tensor.name, found: tensor.dtype.rawValue,
        expected: "F32, F16 or BF16, or F8_E4M3 with a quantization_config of fp8")
    }
    let shape = tensor.shape
    let grid = [(shape[0] + rows - 1) / rows, (shape[1] + columns - 1) / columns]
    let factors = try self.tensor(scales, grid).floats()
    return BlockScaledWeights(
      weights: tensor, factors: factors, blockRows: rows, blockColumns: columns)
  }
}

extension WeightFormat {
  /// The format of tensors that are kept as they are stored.
  init?(_ dtype: TensorDType) {
    switch dtype {
    case .f32: self = .float32
    case .f16: self = .float16
    case .bf16: self = .bfloat16
    default: return nil
    }
  }
}
