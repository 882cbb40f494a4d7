extension ResultRow {
  /// The machine, the software and the moment of a case.
  public struct Machine: Codable, Sendable, Hashable {
    /// Model name of the processor.
    public var cpu: String
    /// Cores that the process may use.
    public var cores: Int
    /// Instruction set that the kernels chose, such as `avx2`.
    public var isa: String
    /// Bytes of main memory that the process may use.
    public var memoryBytes: Int
    /// How huge pages are given, such as `madvise`.
    public var hugePages: String
    /// Operating system and kernel.
    public var os: String
    /// Swift compiler.
    public var swift: String
    /// OpenBLAS version and core type.
    public var openblas: String
    /// Commit of the sources; ends in `-dirty` where they were changed since.
    public var commit: String
    /// When the case ended: ISO 8601, UTC, such as `2026-01-31T12:00:00Z`.
    public var date: String
    /// Probed read bandwidth, GB/s (10⁹); the mean of before and after the case.
    public var readGBPerSecond: Double?
    /// Probed arithmetic peak in float32, GFLOP/s; the mean of before and after the case.
    public var peakGFLOPPerSecond: Double?
    /// Whether the probes before and after the case agree within 10 %.
    public var stable: Bool?

    /// A machine as a case saw it.
    public init(
      cpu: String, cores: Int, isa: String, memoryBytes: Int, hugePages: String, os: String,
      swift: String, openblas: String, commit: String, date: String,
      readGBPerSecond: Double? = nil, peakGFLOPPerSecond: Double? = nil, stable: Bool? = nil
    ) {
      self.cpu = cpu
      self.cores = cores
      self.isa = isa
      self.memoryBytes = memoryBytes
      self.hugePages = hugePages
      self.os = os
      self.swift = swift
      self.openblas = openblas
      self.commit = commit
      self.date = date
      self.readGBPerSecond = readGBPerSecond
      self.peakGFLOPPerSecond = peakGFLOPPerSecond
      self.stable = stable
    }

    /// What must be equal for two rows to be of the same machine and software.
    public var identity: MachineIdentity {
      MachineIdentity(
        cpu: cpu, cores: cores, isa: isa, memoryBytes: memoryBytes, hugePages: hugePages, os: os,
        swift: swift, openblas: openblas, commit: commit)
    }

    enum CodingKeys: String, CodingKey {
      case cpu, cores, isa, os, swift, openblas, commit, date, stable
      case memoryBytes = "memory_bytes"
      case hugePages = "huge_pages"
      case readGBPerSecond = "read_gb_per_s"
      case peakGFLOPPerSecond = "peak_gflop_per_s"
    }
  }
}

/// The parts of a machine that do not change during a run.
public struct MachineIdentity: Sendable, Hashable, Comparable {
  /// Model name of the processor.
  public let cpu: String
  /// Cores that the process may use.
  public let cores: Int
  /// Instruction set that the kernels chose.
  public let isa: String
  /// Bytes of main memory.
  public let memoryBytes: Int
  /// How huge pages are given.
  public let hugePages: String
  /// Operating system and kernel.
  public let os: String
  /// Swift compiler.
  public let swift: String
  /// OpenBLAS version and core type.
  public let openblas: String
  /// Commit of the sources.
  public let commit: String

  /// A fixed order, so that reports do not depend on the order of their rows.
  public static func < (left: Self, right: Self) -> Bool {
    left.sortKey.lexicographicallyPrecedes(right.sortKey)
  }

  private var sortKey: [String] {
    [cpu, "\(cores)", isa, "\(memoryBytes)", hugePages, os, swift, openblas, commit]
  }
}
