import CAttentionKernels
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The two roofs of a machine: how fast it reads memory and how fast it computes.
public struct MachineRoofs: Sendable, Hashable {
  /// Bytes that all threads together read from memory, GB/s (10⁹).
  public var readGBPerSecond: Double
  /// Float32 multiply-adds of all threads together, GFLOP/s, a multiply and an add counted as two.
  public var peakGFLOPPerSecond: Double

  /// Roofs of known height.
  public init(readGBPerSecond: Double, peakGFLOPPerSecond: Double) {
    self.readGBPerSecond = readGBPerSecond
    self.peakGFLOPPerSecond = peakGFLOPPerSecond
  }

  /// FLOPs per byte where the two roofs meet.
  public var ridge: Double { peakGFLOPPerSecond / readGBPerSecond }

  /// Whether neither roof differs by more than 10 % of the higher one.
  public func agrees(with other: MachineRoofs) -> Bool {
    func near(_ a: Double, _ b: Double) -> Bool { min(a, b) >= 0.9 * max(a, b) }
    return near(readGBPerSecond, other.readGBPerSecond)
      && near(peakGFLOPPerSecond, other.peakGFLOPPerSecond)
  }

  /// Least time for `bytes` read and `flops` done, milliseconds.
  public func milliseconds(bytes: Double, flops: Double) -> Double {
    max(bytes / (readGBPerSecond * 1e6), flops / (peakGFLOPPerSecond * 1e6))
  }
}

/// Measures the roofs in about a tenth of a second, so that it can run before and after a case.
///
/// Reading goes over a buffer of eight last-level caches on huge pages where there are any, written
/// first so that every page is its own; the buffer is given back after each measurement.
public final class RoofProbe: Sendable {
  private let pool: WorkerPool
  private let bytes: Int
  private let iterations: Int64

  /// Readings of which the median counts.
  static let repetitions = 5
  static let part = 1 << 20

  /// A probe that uses the threads of `pool`.
  public init(pool: WorkerPool) {
    self.pool = pool
    let wanted = max(256 << 20, 8 * (ProcessMemory.lastLevelCache ?? 32 << 20))
    let limit = max(64 << 20, min(2 << 30, ProcessMemory.available / 8))
    bytes = min(wanted, limit) / Self.part * Self.part
    iterations = Self.calibratedIterations()
  }

  /// Measures both roofs.
  /// - Throws: `OutOfMemory` when the read buffer cannot be had.
  public func measure() throws(OutOfMemory) -> MachineRoofs {
    MachineRoofs(
      readGBPerSecond: try readRate() / 1e9, peakGFLOPPerSecond: peakRate() / 1e9)
  }

  /// Bytes a second.
  private func readRate() throws(OutOfMemory) -> Double {
    let buffer = try AlignedBuffer(count: bytes)
    let base = buffer.base
    let parts = bytes / Self.part
    pool.forEach(parts) { part, _ in memset(base + part * Self.part, 1, Self.part) }
    let times = (0..<Self.repetitions).map { _ in
      Self.seconds {
        pool.forEach(parts) { part, _ in
          _ = attn_probe_read(base + part * Self.part, Self.part)
        }
      }
    }
    return withExtendedLifetime(buffer) { Double(bytes) / Self.median(times) }
  }

  /// FLOPs a second.
  private func peakRate() -> Double {
    let count = iterations
    var flops: Int64 = 0
    _ = attn_probe_fma(1, &flops)
    let work = Double(flops) * Double(count) * Double(parts)
    let times = (0..<Self.repetitions).map { _ in
      Self.seconds {
        pool.forEach(parts) { _, _ in
          var done: Int64 = 0
          _ = attn_probe_fma(count, &done)
        }
      }
    }
    return work / Self.median(times)
  }

  /// Instructions a second that all threads together issue, measured once in about a millisecond.
  /// Lower than at other times where another program, or a neighbour on the same physical core,
  /// takes issue slots, which neither roof shows.
  public func issueRate() -> Double {
    let rounds: Int64 = 16_384
    // The first round wakes the threads.
    pool.forEach(parts) { _, _ in _ = attn_probe_issue(rounds / 8) }
    let time = Self.seconds {
      pool.forEach(parts) { _, _ in _ = attn_probe_issue(rounds) }
    }
    return Double(attn_probe_issue(1)) * Double(rounds) * Double(parts) / time
  }

  /// More parts than threads, so that one late thread does not halve the figure.
  private var parts: Int { pool.threads * 4 }

  /// Iterations that take about a millisecond.
  private static func calibratedIterations() -> Int64 {
    var count: Int64 = 1 << 12
    while count < 1 << 40 {
      var flops: Int64 = 0
      let time = seconds { _ = attn_probe_fma(count, &flops) }
      if time >= 0.000_5 { return max(1, Int64(Double(count) * 0.001 / time)) }
      count *= 2
    }
    return count
  }

  private static func seconds(_ body: () -> Void) -> Double {
    let begin = MonotonicClock.nanoseconds()
    body()
    return Double(max(1, MonotonicClock.nanoseconds() - begin)) / 1e9
  }

  private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}
