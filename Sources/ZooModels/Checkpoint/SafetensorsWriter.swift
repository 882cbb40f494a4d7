/// Writes a safetensors file without holding it: declare every tensor, append their elements in any
/// portions, finish. The file appears under its name only then.
///
/// The bytes depend on the declarations and the elements alone: tensors lie by element width, widest
/// first, so that each is aligned to its elements, and among equals as declared; the header lists
/// them in that order, metadata first with sorted keys, padded with spaces to 8 bytes. Tensors may be
/// filled in any order. A file for `transformers` wants `metadata: ["format": "pt"]`.
public final class SafetensorsWriter {
  /// The final path.
  public var path: String { file.path }
  private let file: OutputFile
  private var slots: [String: Slot] = [:]
  /// The declared names in the order of their bytes.
  private let names: [String]

  /// Where a tensor goes, and how far it is filled.
  private struct Slot {
    let declaration: TensorDeclaration
    let elementCount: Int
    let start: Int
    var filled = 0
  }

  /// Starts a file at `path` that will hold `tensors`.
  ///
  /// - Throws: `CheckpointError` of kind `misuse` for a name declared twice or reserved, or a shape
  ///   that is negative or too large; `cannotWrite` where the file cannot be created.
  public init(
    path: String, tensors: [TensorDeclaration], metadata: [String: String] = [:]
  ) throws(CheckpointError) {
    var members: [String] = []
    if !metadata.isEmpty {
      let object = JSONValue.object(metadata.mapValues { .string($0) })
      members.append(
        JSONValue.literal(SafetensorsHeader.metadataKey) + ":" + object.text(indented: false))
    }
    let ordered = tensors.enumerated()
      .sorted {
        (-$0.element.dtype.byteWidth, $0.offset) < (-$1.element.dtype.byteWidth, $1.offset)
      }
      .map(\.element)
    var slots: [String: Slot] = [:]
    var end = 0
    for tensor in ordered {
      guard tensor.name != SafetensorsHeader.metadataKey, slots[tensor.name] == nil else {
        throw Self.misuse(
          path, tensor.name, found: "a name that is taken", expected: "each name once")
      }
      guard let (elementCount, byteCount) = tensor.dtype.byteCount(shape: tensor.shape) else {
        throw Self.misuse(
          path, tensor.name, found: "shape \(tensor.shape)", expected: "a size below 2^63 bytes")
      }
      let (next, overflow) = end.addingReportingOverflow(byteCount)
      // Half the range leaves room for the header.
      guard !overflow, next < Int.max / 2 else {
        throw Self.misuse(
          path, tensor.name, found: "tensors past 2^62 bytes", expected: "a smaller file")
      }
      slots[tensor.name] = Slot(declaration: tensor, elementCount: elementCount, start: end)
      members.append(
        JSONValue.literal(tensor.name) + ":{\"dtype\":\"\(tensor.dtype.rawValue)\",\"shape\":["
          + tensor.shape.map { String($0) }.joined(separator: ",")
          + "],\"data_offsets\":[\(end),\(next)]}")
      end = next
    }
    var header = Array("{\(members.joined(separator: ","))}".utf8)
    header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    guard header.count <= SafetensorsHeader.maximumLength else {
      throw CheckpointError(
        kind: .misuse, file: path, place: "header", found: "\(header.count) bytes",
        expected: "at most \(SafetensorsHeader.maximumLength)")
    }
    let dataStart = SafetensorsHeader.prefixLength + header.count
    self.slots = slots.mapValues {
      Slot(
        declaration: $0.declaration, elementCount: $0.elementCount, start: $0.start + dataStart)
    }
    names = ordered.map(\.name)
    file = try OutputFile(path: path)
    let prefix = (0..<SafetensorsHeader.prefixLength).map {
      UInt8(truncatingIfNeeded: header.count >> (8 * $0))
    }
    try file.write(prefix + header, at: 0)
  }

  /// Appends `values` to the tensor called `name`, converted to its element type: F32, F16 or BF16,
  /// rounded to the nearest, ties to even.
  ///
  /// - Throws: `CheckpointError` of kind `nonFinite` where a finite value is too large for the element
  ///   type, `misuse` for a name or element type that does not fit or for too many values,
  ///   `cannotWrite` where the disk does not take them.
  public func append(
    _ values: UnsafeBufferPointer<Float>, to name: String
  ) throws(CheckpointError) {
    let slot = try reserve(values.count, in: name)
    switch slot.declaration.dtype {
    case .f32: try write(UnsafeRawBufferPointer(values), slot: slot)
    case .f16: try append(values, slot: slot, convert: FloatBits.half)
    case .bf16: try append(values, slot: slot, convert: FloatBits.brain)
    default:
      throw Self.misuse(
        path, name, found: "floats for \(slot.declaration.dtype.rawValue)",
        expected: "F32, F16 or BF16")
    }
    slots[name]?.filled += values.count
  }

  /// Appends `values` to the tensor called `name`; see the other form.
  public func append(_ values: [Float], to name: String) throws(CheckpointError) {
    try values.withBuffer { buffer throws(CheckpointError) in
      try append(buffer, to: name)
    }
  }

  /// Appends elements that are already in the element type of the tensor called `name`,
  /// little-endian, for example to copy a tensor of another file unchanged.
  ///
  /// - Throws: `CheckpointError` of kind `misuse` for an unknown name, a part of an element or too many
  ///   bytes, `cannotWrite` where the disk does not take them.
  public func append(
    bytes: UnsafeRawBufferPointer, to name: String
  ) throws(CheckpointError) {
    let width = slots[name]?.declaration.dtype.byteWidth ?? 1
    guard bytes.count % width == 0 else {
      throw Self.misuse(
        path, name, found: "\(bytes.count) bytes", expected: "a multiple of \(width)")
    }
    let slot = try reserve(bytes.count / width, in: name)
    try write(bytes, slot: slot)
    slots[name]?.filled += bytes.count / width
  }

  /// Ends the file and gives it its name, replacing a file of that name.
  ///
  /// - Throws: `CheckpointError` of kind `misuse` where a tensor is not full, `cannotWrite` where the
  ///   file cannot be completed; nothing appears under the name then.
  public func finish() throws(CheckpointError) {
    for name in names {
      guard let slot = slots[name], slot.filled < slot.elementCount else { continue }
      throw Self.misuse(
        path, name, found: "\(slot.filled) elements", expected: "\(slot.elementCount)")
    }
    try file.commit()
  }

  /// The slot of `name`, which must have room for `count` more elements.
  private func reserve(_ count: Int, in name: String) throws(CheckpointError) -> Slot {
    guard let slot = slots[name] else {
      throw Self.misuse(path, name, found: "a name not declared", expected: "a declared tensor")
    }
    guard count <= slot.elementCount - slot.filled else {
      throw Self.misuse(
        path, name, found: "\(slot.filled + count) elements",
        expected: "at most \(slot.elementCount)")
    }
    return slot
  }

  /// Converts and writes `values` in portions.
  @inline(__always)
  private func append(
    _ values: UnsafeBufferPointer<Float>, slot: Slot, convert: (Float) -> UInt16
  ) throws(CheckpointError) {
    let portion = 1 << 16
    var start = 0
    while start < values.count {
      let end = min(start + portion, values.count)
      var converted: [UInt16] = []
      converted.reserveCapacity(end - start)
      // Both formats: an infinity out of a finite value would be a silent loss.
      let exponent: UInt16 = slot.declaration.dtype == .f16 ? 0x7c00 : 0x7f80
      for index in start..<end {
        let pattern = convert(values[index])
        if pattern & 0x7fff == exponent && values[index].isFinite {
          throw CheckpointError(
            kind: .nonFinite, file: path,
            place: SafetensorsHeader.tensorPlace(slot.declaration.name)
              + ", element \(slot.filled + index)",
            found: "\(values[index])",
            expected: "a value within the range of \(slot.declaration.dtype.rawValue)")
        }
        converted.append(pattern.littleEndian)
      }
      let offset = slot.start + (slot.filled + start) * 2
      try file.write(converted, at: offset)
      start = end
    }
  }

  private func write(_ bytes: UnsafeRawBufferPointer, slot: Slot) throws(CheckpointError) {
    try file.write(bytes, at: slot.start + slot.filled * slot.declaration.dtype.byteWidth)
  }

  private static func misuse(
    _ path: String, _ name: String, found: String, expected: String
  ) -> CheckpointError {
    CheckpointError(
      kind: .misuse, file: path, place: SafetensorsHeader.tensorPlace(name), found: found,
      expected: expected)
  }
}
