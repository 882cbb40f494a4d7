import Testing
import ZooMemory

@Suite struct AlignedBufferTests {
  @Test(
    "A buffer is zero, page-aligned, and huge-page-aligned from 2 MiB on",
    arguments: [0, 1, 63, 4096, 4097, (2 << 20) - 4096, 2 << 20, (2 << 20) + 1, 9_000_001])
  func alignment(count: Int) throws {
    let buffer = try AlignedBuffer(count: count)
    #expect(buffer.count == count)
    #expect(buffer.mappedBytes >= max(count, 1) && buffer.mappedBytes % 4096 == 0)
    #expect(buffer.mappedBytes - count <= 4096)
    let alignment = buffer.mappedBytes >= 2 << 20 ? 2 << 20 : 4096
    #expect(Int(bitPattern: buffer.base) % alignment == 0)
    let bytes = UnsafeRawBufferPointer(start: buffer.base, count: buffer.mappedBytes)
    #expect(bytes.allSatisfy { $0 == 0 })
    // Every mapped byte is writable.
    buffer.base.initializeMemory(as: UInt8.self, repeating: 0xA5, count: buffer.mappedBytes)
    #expect(bytes.allSatisfy { $0 == 0xA5 })
  }

  @Test("Memory that a buffer gave back is zero again for the next")
  func zeroAfterReuse() throws {
    for _ in 0..<50 {
      let buffer = try AlignedBuffer(count: 1 << 20)
      let words = buffer.pointer(to: UInt64.self)
      #expect((0..<(1 << 17)).allSatisfy { words[$0] == 0 })
      for index in 0..<(1 << 17) { words[index] = .max }
    }
  }

  @Test("More than the address space throws and says how much")
  func outOfMemory() {
    let bytes = 1 << 60
    let error = #expect(throws: OutOfMemory.self) { try AlignedBuffer(count: bytes) }
    #expect(error?.bytes == bytes)
    #expect(error?.description.contains("\(bytes)") == true)
  }

  @Test("A buffer is of use after others failed")
  func usableAfterFailure() throws {
    for _ in 0..<10 { _ = try? AlignedBuffer(count: 1 << 60) }
    let buffer = try AlignedBuffer(count: 100)
    buffer.pointer(to: Float.self)[24] = 1
    #expect(buffer.pointer(to: Float.self)[24] == 1)
  }
}
