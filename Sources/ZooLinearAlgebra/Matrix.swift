import ZooMemory

/// Float32 rows that someone else owns, read only: row `i` starts at `pointer + i * stride`.
///
/// Nothing is retained: the owner must outlive the view.
public struct MatrixView {
  /// First element of row 0.
  public let pointer: UnsafePointer<Float>
  /// Number of rows.
  public let rows: Int
  /// Elements a row.
  public let columns: Int
  /// Elements from the start of one row to the start of the next, at least `columns`.
  public let stride: Int

  /// A view of `rows` × `columns` elements; `stride` is `columns` unless given.
  public init(_ pointer: UnsafePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
    self.pointer = pointer
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
    precondition(rows >= 0 && columns >= 0 && self.stride >= columns)
  }

  /// First element of row `index`.
  public func row(_ index: Int) -> UnsafePointer<Float> { pointer + index * stride }

  /// Rows `range`, all columns.
  public func rows(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return MatrixView(row(range.lowerBound), rows: range.count, columns: columns, stride: stride)
  }

  /// Columns `range` of every row.
  public func columns(_ range: Range<Int>) -> MatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return MatrixView(
      pointer + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }
}

/// Float32 rows that someone else owns, writable: row `i` starts at `pointer + i * stride`.
///
/// Nothing is retained: the owner must outlive the view.
public struct MutableMatrixView {
  /// First element of row 0.
  public let pointer: UnsafeMutablePointer<Float>
  /// Number of rows.
  public let rows: Int
  /// Elements a row.
  public let columns: Int
  /// Elements from the start of one row to the start of the next, at least `columns`.
  public let stride: Int

  /// A view of `rows` × `columns` elements; `stride` is `columns` unless given.
  public init(_ pointer: UnsafeMutablePointer<Float>, rows: Int, columns: Int, stride: Int? = nil) {
    self.pointer = pointer
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
    precondition(rows >= 0 && columns >= 0 && self.stride >= columns)
  }

  /// The same elements, read only.
  public var view: MatrixView {
    MatrixView(pointer, rows: rows, columns: columns, stride: stride)
  }

  /// First element of row `index`.
  public func row(_ index: Int) -> UnsafeMutablePointer<Float> { pointer + index * stride }

  /// Rows `range`, all columns.
  public func rows(_ range: Range<Int>) -> MutableMatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows)
    return MutableMatrixView(
      row(range.lowerBound), rows: range.count, columns: columns, stride: stride)
  }

  /// Columns `range` of every row.
  public func columns(_ range: Range<Int>) -> MutableMatrixView {
    precondition(range.lowerBound >= 0 && range.upperBound <= columns)
    return MutableMatrixView(
      pointer + range.lowerBound, rows: rows, columns: range.count, stride: stride)
  }
}

/// A row-major float32 matrix that owns its memory, zero until written.
///
/// It does not synchronise: whoever shares one between threads keeps their writes apart.
public final class Matrix: @unchecked Sendable {
  /// Number of rows.
  public let rows: Int
  /// Elements a row; rows follow each other without gaps.
  public let columns: Int
  private let buffer: AlignedBuffer

  /// A zero matrix.
  /// - Throws: `OutOfMemory` when the system refuses.
  public init(rows: Int, columns: Int) throws(OutOfMemory) {
    precondition(rows >= 0 && columns >= 0)
    self.rows = rows
    self.columns = columns
    buffer = try AlignedBuffer(count: rows * columns * MemoryLayout<Float>.stride)
  }

  /// First element of row 0; `rows * columns` elements follow.
  public var pointer: UnsafeMutablePointer<Float> { buffer.pointer() }

  /// Bytes mapped for the elements.
  public var byteCount: Int { buffer.mappedBytes }

  /// The whole matrix, read only; valid while the matrix lives.
  public var view: MatrixView { MatrixView(pointer, rows: rows, columns: columns) }

  /// The whole matrix, writable; valid while the matrix lives.
  public var mutableView: MutableMatrixView {
    MutableMatrixView(pointer, rows: rows, columns: columns)
  }

  /// The element at `row`, `column`.
  public subscript(row: Int, column: Int) -> Float {
    get {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      return pointer[row * columns + column]
    }
    set {
      precondition(row >= 0 && row < rows && column >= 0 && column < columns)
      pointer[row * columns + column] = newValue
    }
  }
}
