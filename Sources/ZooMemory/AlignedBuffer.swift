#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Memory could not be had from the system.
public struct OutOfMemory: Error, Sendable, CustomStringConvertible {
  /// Bytes asked for.
  public let bytes: Int

  public init(bytes: Int) { self.bytes = bytes }

  public var description: String { "out of memory: \(bytes) bytes could not be allocated" }
}

/// Anonymous zeroed memory, aligned to a page, and to 2 MiB with transparent huge pages asked for
/// where it is at least that long.
///
/// The mapping is private and writable, so that it counts towards `RLIMIT_DATA` byte for byte
/// (rounded up to a 4 KiB page). Pages are not resident until they are touched.
public final class AlignedBuffer: @unchecked Sendable {
  /// First byte.
  public let base: UnsafeMutableRawPointer
  /// Bytes asked for.
  public let count: Int
  /// Bytes mapped: `count` rounded up to whole pages.
  public let mappedBytes: Int

  static let hugePage = 2 << 20
  static let smallPage = 4096

  /// Maps `count` zero bytes.
  /// - Throws: `OutOfMemory` when the system refuses.
  public init(count: Int) throws(OutOfMemory) {
    precondition(count >= 0)
    let mapped = max(Self.roundUp(count, to: Self.smallPage), Self.smallPage)
    let alignment = mapped >= Self.hugePage ? Self.hugePage : Self.smallPage
    let reserved = mapped + alignment
    // An inaccessible reservation is free of charge; the aligned part is then made writable. Not by
    // a second mapping in its place: Linux would not hold that against RLIMIT_DATA.
    guard
      let start = mmap(nil, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      start != MAP_FAILED
    else { throw OutOfMemory(bytes: count) }
    let address = Int(bitPattern: start)
    let aligned = Self.roundUp(address, to: alignment)
    let begin = start + (aligned - address)
    guard mprotect(begin, mapped, PROT_READ | PROT_WRITE) == 0 else {
      munmap(start, reserved)
      throw OutOfMemory(bytes: count)
    }
    if aligned > address { munmap(start, aligned - address) }
    let tail = (address + reserved) - (aligned + mapped)
    if tail > 0 { munmap(begin + mapped, tail) }
    #if os(Linux)
      if alignment == Self.hugePage { madvise(begin, mapped, MADV_HUGEPAGE) }
    #endif
    base = begin
    self.count = count
    mappedBytes = mapped
  }

  deinit { munmap(base, mappedBytes) }

  /// The buffer as elements of `type`; the memory is zero until written.
  public func pointer<Element>(to type: Element.Type = Element.self) -> UnsafeMutablePointer<
    Element
  > {
    base.assumingMemoryBound(to: type)
  }

  static func roundUp(_ value: Int, to multiple: Int) -> Int {
    (value + multiple - 1) / multiple * multiple
  }
}
