extension TensorView {
  /// The elements as `Float`, in row-major order.
  ///
  /// - Parameter checkFinite: whether a NaN or an infinity is an error; an F64 element beyond the
  ///   range of `Float` counts as infinite.
  /// - Throws: `CheckpointError` for integers or scales, which have no `Float` values of their own,
  ///   and for an element that is not finite, naming its index.
  public func floats(checkFinite: Bool = true) throws(CheckpointError) -> [Float] {
    try requireFloatingPoint()
    let result = [Float](unsafeUninitializedCapacity: elementCount) { buffer, count in
      if let base = buffer.baseAddress { decode(0..<elementCount, into: base) }
      count = elementCount
    }
    if checkFinite {
      let bad = result.withUnsafeBufferPointer { Self.firstNonFinite($0) }
      if let bad { throw nonFinite(at: bad, value: result[bad]) }
    }
    return result
  }

  /// Decodes all elements into `destination`, which must hold ``elementCount`` of them.
  ///
  /// - Throws: as ``floats(checkFinite:)``; `destination` may then be written already.
  public func copyFloats(
    into destination: UnsafeMutablePointer<Float>, checkFinite: Bool = true
  ) throws(CheckpointError) {
    try copyFloats(0..<elementCount, into: destination, checkFinite: checkFinite)
  }

  /// Decodes the elements of the flat, row-major `range` into `destination`, which must hold as many;
  /// ranges of one tensor may be decoded by several threads at once.
  ///
  /// - Throws: as ``floats(checkFinite:)``; `destination` may then be written already.
  public func copyFloats(
    _ range: Range<Int>, into destination: UnsafeMutablePointer<Float>, checkFinite: Bool = true
  ) throws(CheckpointError) {
    precondition(
      range.lowerBound >= 0 && range.upperBound <= elementCount, "range past the tensor's end")
    try requireFloatingPoint()
    decode(range, into: destination)
    if checkFinite {
      let values = UnsafeBufferPointer(start: destination, count: range.count)
      if let bad = Self.firstNonFinite(values) {
        throw nonFinite(at: range.lowerBound + bad, value: values[bad])
      }
    }
  }

  private func requireFloatingPoint() throws(CheckpointError) {
    guard dtype.isFloatingPoint else {
      throw error(
        found: "elements of type \(dtype.rawValue)", expected: "a floating-point element type")
    }
  }

  private func decode(_ range: Range<Int>, into destination: UnsafeMutablePointer<Float>) {
    withUnsafeBytes { bytes in
      // Bytes are little-endian in the file, as on every machine that Swift supports here.
      guard !range.isEmpty, let base = bytes.baseAddress else { return }
      let source = base + range.lowerBound * dtype.byteWidth
      let count = range.count
      switch dtype {
      case .f32:
        UnsafeMutableRawPointer(destination).copyMemory(
          from: source, byteCount: count * MemoryLayout<Float>.stride)
      case .f64:
        for index in 0..<count {
          destination[index] = Float(
            source.loadUnaligned(fromByteOffset: index &* 8, as: Double.self))
        }
      case .f16:
        for index in 0..<count {
          destination[index] = FloatBits.float(
            half: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
        }
      case .bf16:
        for index in 0..<count {
          destination[index] = FloatBits.float(
            brain: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
        }
      case .f8e4m3:
        for index in 0..<count {
          destination[index] = FloatBits.float(
            e4m3: source.load(fromByteOffset: index, as: UInt8.self))
        }
      case .f8e5m2:
        for index in 0..<count {
          // E5M2 is the upper byte of a binary16.
          destination[index] = FloatBits.float(
            half: UInt16(source.load(fromByteOffset: index, as: UInt8.self)) << 8)
        }
      case .f8e8m0, .i64, .i32, .i16, .i8, .u64, .u32, .u16, .u8, .bool:
        preconditionFailure("decoding a tensor that is not floating-point")
      }
    }
  }

  /// The index of the first NaN or infinity.
  private static func firstNonFinite(_ values: UnsafeBufferPointer<Float>) -> Int? {
    // One pass that the compiler can vectorise decides; the search only runs on bad news.
    var worst: UInt32 = 0
    for value in values { worst = max(worst, value.bitPattern & 0x7fff_ffff) }
    guard worst >= 0x7f80_0000 else { return nil }
    return values.firstIndex { !$0.isFinite }
  }

  /// The error about the element at `position`, which is not finite.
  func nonFinite(_ position: [Int]) -> CheckpointError {
    CheckpointError(
      kind: .nonFinite, file: file,
      place: name + "[" + position.map(String.init).joined(separator: ", ") + "]",
      found: "NaN or infinity", expected: "a finite weight")
  }

  private func nonFinite(at index: Int, value: Float) -> CheckpointError {
    var rest = index
    var position: [Int] = []
    for extent in shape.reversed() {
      position.append(rest % extent)
      rest /= extent
    }
    return CheckpointError(
      kind: .nonFinite, file: file,
      place: "\(SafetensorsHeader.tensorPlace(name)), index \(Array(position.reversed()))",
      found: value.isNaN ? "NaN" : value > 0 ? "infinity" : "-infinity",
      expected: "a finite number")
  }
}
