/// What a latency prediction needs of a machine.
public struct Device: Sendable, Hashable {
  /// Where the figures come from.
  public enum Origin: String, Sendable, Hashable, Codable {
    /// A published specification: a bound that no kernel reaches.
    case published
    /// Probed on the machine itself.
    case measured
  }

  /// The device's name, as published.
  public let name: String
  /// Memory for weights, cache and workspace, bytes; nil where it depends on what is fitted.
  public let memoryBytes: Int?
  /// Bandwidth of that memory, bytes a second.
  public let bytesPerSecond: Double
  /// Dense half-precision multiply-adds with float32 accumulation, FLOP a second; nil where
  /// none is published.
  public let peakFLOPsPerSecond: Double?
  /// Published or measured.
  public let origin: Origin
  /// Where the figures were read, and what else to know.
  public let source: String

  /// A device by its specification.
  public init(
    name: String, memoryBytes: Int?, bytesPerSecond: Double, peakFLOPsPerSecond: Double?,
    source: String
  ) {
    self.name = name
    self.memoryBytes = memoryBytes
    self.bytesPerSecond = bytesPerSecond
    self.peakFLOPsPerSecond = peakFLOPsPerSecond
    origin = .published
    self.source = source
  }

  /// The machine at hand, from its own probes.
  /// - Parameters:
  ///   - name: what to call it.
  ///   - readBytesPerSecond: bandwidth of streaming reads past the last-level cache.
  ///   - peakFLOPsPerSecond: what its multiply-add units reach.
  public init(
    measured name: String, memoryBytes: Int, readBytesPerSecond: Double, peakFLOPsPerSecond: Double
  ) {
    self.name = name
    self.memoryBytes = memoryBytes
    bytesPerSecond = readBytesPerSecond
    self.peakFLOPsPerSecond = peakFLOPsPerSecond
    origin = .measured
    source = "measured on the machine"
  }

  /// Arithmetic intensity from which the device is bound by arithmetic, FLOP a byte.
  public var ridge: Double? { peakFLOPsPerSecond.map { $0 / bytesPerSecond } }
}
