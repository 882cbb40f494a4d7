/// Something that holds named tensors: one safetensors file, or a folder of them.
public protocol TensorSource: Sendable {
  /// The names of all tensors: in the order of their bytes for one file, sorted for a sharded folder.
  var names: [String] { get }

  /// Whether there is a tensor called `name`.
  func contains(_ name: String) -> Bool

  /// The tensor called `name`, without touching its bytes.
  ///
  /// - Throws: `CheckpointError` where there is none.
  func tensor(named name: String) throws(CheckpointError) -> TensorView
}

extension TensorSource {
  /// The tensor called `name`, which must have `shape`.
  ///
  /// - Throws: `CheckpointError` where there is none or its shape is another.
  public func tensor(named name: String, shape: [Int]) throws(CheckpointError) -> TensorView {
    let view = try tensor(named: name)
    guard view.shape == shape else {
      throw view.error(found: "shape \(view.shape)", expected: "\(shape)")
    }
    return view
  }

  /// The elements of the tensor called `name` as `Float`, in row-major order.
  ///
  /// - Parameters:
  ///   - expectedShape: the shape that the tensor must have; nil for any.
  ///   - checkFinite: whether a NaN or an infinity is an error.
  /// - Throws: `CheckpointError` for a missing tensor, another shape, an element type without `Float`
  ///   values, or an element that is not finite (naming tensor and index).
  public func floats(
    named name: String, expectedShape: [Int]? = nil, checkFinite: Bool = true
  ) throws(CheckpointError) -> [Float] {
    let view: TensorView
    if let expectedShape {
      view = try tensor(named: name, shape: expectedShape)
    } else {
      view = try tensor(named: name)
    }
    return try view.floats(checkFinite: checkFinite)
  }

  /// Decodes the tensor called `name`, which must have `expectedShape`, into `destination`, which
  /// must hold as many elements.
  ///
  /// - Throws: as ``floats(named:expectedShape:checkFinite:)``; `destination` may then be partly
  ///   written.
  public func copyFloats(
    named name: String, expectedShape: [Int], into destination: UnsafeMutablePointer<Float>,
    checkFinite: Bool = true
  ) throws(CheckpointError) {
    try tensor(named: name, shape: expectedShape)
      .copyFloats(into: destination, checkFinite: checkFinite)
  }
}
