import ZooLinearAlgebra

/// A tensor to be written: name, shape, and where its elements come from.
struct OutputTensor {
  /// Where elements come from.
  enum Elements {
    /// Row-major floats.
    case floats([Float])
    /// A matrix in its own format.
    case matrix(WeightMatrix)
    /// Row-major doubles, which are written as such.
    case doubles([Double])
    /// A tensor of another file.
    case view(TensorView)
  }

  var name: String
  let shape: [Int]
  let elements: Elements
  /// The element type to write; nil: that of the folder.
  var dtype: TensorDType?

  /// A vector.
  init(_ name: String, _ vector: [Float]) {
    self.init(name, shape: [vector.count], vector)
  }

  /// Row-major floats of any shape.
  init(_ name: String, shape: [Int], _ floats: [Float]) {
    self.name = name
    self.shape = shape
    elements = .floats(floats)
  }

  /// A matrix, [outputs × inputs].
  init(_ name: String, _ matrix: WeightMatrix) {
    self.name = name
    shape = [matrix.outputs, matrix.inputs]
    elements = .matrix(matrix)
  }

  /// A vector of float64.
  init(_ name: String, doubles: [Double]) {
    self.name = name
    shape = [doubles.count]
    elements = .doubles(doubles)
    dtype = .f64
  }

  /// A tensor of another file, in `dtype`.
  init(_ name: String, _ view: TensorView, dtype: TensorDType) {
    self.name = name
    shape = view.shape
    elements = .view(view)
    self.dtype = dtype
  }
}

extension OutputTensor {
  /// Elements a portion: what is converted at a time.
  private static let portion = 1 << 16

  /// Hands the elements to `body` in order and in portions, as bytes of `dtype`.
  ///
  /// - Throws: `CheckpointError` of kind `nonFinite`, naming `file`, tensor and index, for NaN, an
  ///   infinity, or a value beyond the range of `dtype`; what `body` throws.
  func encode(
    as dtype: TensorDType, file: String,
    _ body: (UnsafeRawBufferPointer) throws(CheckpointError) -> Void
  ) throws(CheckpointError) {
    var encoder = PortionEncoder(tensor: self, dtype: dtype, file: file)
    switch elements {
    case .floats(let values):
      try values.withBuffer { buffer throws(CheckpointError) in
        var first = 0
        while first < buffer.count {
          let count = min(Self.portion, buffer.count - first)
          try encoder.encode(
            UnsafeBufferPointer(rebasing: buffer[first..<first + count]), from: first, body)
          first += count
        }
      }
    case .doubles(let values):
      try values.withBuffer { buffer throws(CheckpointError) in
        try encoder.pass(UnsafeRawBufferPointer(buffer), body)
      }
    case .matrix(let matrix) where matrix.format.tensorDType == dtype:
      try encoder.pass(
        UnsafeRawBufferPointer(start: matrix.base, count: matrix.byteCount), body)
    case .matrix(let matrix):
      let rows = max(1, Self.portion / matrix.inputs)
      var floats = [Float](repeating: 0, count: rows * matrix.inputs)
      var first = 0
      while first < matrix.outputs {
        let count = min(rows, matrix.outputs - first)
        matrix.decodeRows(first..<first + count, to: &floats)
        try floats.withBuffer { buffer throws(CheckpointError) in
          try encoder.encode(
            UnsafeBufferPointer(rebasing: buffer[..<(count * matrix.inputs)]),
            from: first * matrix.inputs, body)
        }
        first += count
      }
    case .view(let view) where view.dtype == dtype:
      try encoder.pass(view.bytes, body)
      view.releasePages()
    case .view(let view):
      var floats = [Float](repeating: 0, count: min(Self.portion, view.elementCount))
      var first = 0
      while first < view.elementCount {
        let count = min(Self.portion, view.elementCount - first)
        try view.copyFloats(first..<first + count, into: &floats)
        try floats.withBuffer { buffer throws(CheckpointError) in
          try encoder.encode(UnsafeBufferPointer(rebasing: buffer[..<count]), from: first, body)
        }
        first += count
      }
      view.releasePages()
    }
  }
}

extension WeightFormat {
  /// The element type that holds this format's elements as they are; nil for integers with scales.
  var tensorDType: TensorDType? {
    switch self {
    case .float32: .f32
    case .float16: .f16
    case .bfloat16: .bf16
    case .int8: nil
    }
  }
}
