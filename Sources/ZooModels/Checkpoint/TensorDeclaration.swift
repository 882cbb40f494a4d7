/// A tensor by name, element type and shape, without its elements.
public struct TensorDeclaration: Hashable, Sendable {
  /// The tensor's name.
  public var name: String
  /// The type of its elements.
  public var dtype: TensorDType
  /// Its extents, the slowest first.
  public var shape: [Int]

  /// Makes a declaration.
  public init(name: String, dtype: TensorDType, shape: [Int]) {
    self.name = name
    self.dtype = dtype
    self.shape = shape
  }
}
