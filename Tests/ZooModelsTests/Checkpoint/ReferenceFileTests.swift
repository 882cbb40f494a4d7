import Foundation
import Testing
import ZooModels

/// A file made by the format's own library: Python's `safetensors` 0.8.0,
///
/// ```python
/// save({"f32": float32([[1, -2.5], [0.1, 3e38]]), "f16": float16([1, -0.5, 6e-8]),
///       "bf16": bfloat16([1.5, -3e38]), "i64": int64([-1, 2**40]), "scalar": float32(7),
///       "none": zeros((0, 3), float32)}, {"format": "np"})
/// ```
private let referenceFile =
  "gAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJucCJ9LCJpNjQiOnsiZHR5cGUiOiJJNjQiLCJz"
  + "aGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlswLDE2XX0sImYzMiI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpb"
  + "MiwyXSwiZGF0YV9vZmZzZXRzIjpbMTYsMzJdfSwibm9uZSI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMCwz"
  + "XSwiZGF0YV9vZmZzZXRzIjpbMzIsMzJdfSwic2NhbGFyIjp7ImR0eXBlIjoiRjMyIiwic2hhcGUiOltdLCJk"
  + "YXRhX29mZnNldHMiOlszMiwzNl19LCJiZjE2Ijp7ImR0eXBlIjoiQkYxNiIsInNoYXBlIjpbMl0sImRhdGFf"
  + "b2Zmc2V0cyI6WzM2LDQwXX0sImYxNiI6eyJkdHlwZSI6IkYxNiIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0"
  + "cyI6WzQwLDQ2XX19ICD//////////wAAAAAAAQAAAACAPwAAIMDNzMw95rFhfwAA4EDAP2L/ADwAuAEA"

@Suite("The format is the one of its own library")
struct ReferenceFileTests {
  @Test("a file of the library is read")
  func reading() throws {
    let folder = try TemporaryFolder()
    let bytes = try #require(Data(base64Encoded: referenceFile))
    let file = try Safetensors(path: try folder.write(Array(bytes), to: "model.safetensors"))
    #expect(file.names == ["i64", "f32", "none", "scalar", "bf16", "f16"])
    #expect(file.metadata == ["format": "np"])
    #expect(try file.floats(named: "f32", expectedShape: [2, 2]) == [1, -2.5, 0.1, 3e38])
    #expect(try file.floats(named: "f16", expectedShape: [3]) == [1, -0.5, 0x1p-24])
    #expect(
      try file.floats(named: "bf16", expectedShape: [2])
        == [1.5, Float(bitPattern: 0xff62_0000)])
    #expect(try file.floats(named: "scalar", expectedShape: []) == [7])
    #expect(try file.floats(named: "none", expectedShape: [0, 3]).isEmpty)
    let integers = try file.tensor(named: "i64")
    #expect(integers.withUnsafeBytes { $0.loadUnaligned(as: Int64.self) } == -1)
    #expect(
      integers.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 8, as: Int64.self) } == 1 << 40)
  }

  @Test("the same tensors are written as the same bytes")
  func writing() throws {
    let folder = try TemporaryFolder()
    let writer = try SafetensorsWriter(
      path: folder("f"),
      tensors: [
        TensorDeclaration(name: "bf16", dtype: .bf16, shape: [2]),
        TensorDeclaration(name: "f16", dtype: .f16, shape: [3]),
        TensorDeclaration(name: "f32", dtype: .f32, shape: [2, 2]),
        TensorDeclaration(name: "none", dtype: .f32, shape: [0, 3]),
        TensorDeclaration(name: "scalar", dtype: .f32, shape: []),
        TensorDeclaration(name: "i64", dtype: .i64, shape: [2]),
      ], metadata: ["format": "np"])
    try writer.append([1, -2.5, 0.1, 3e38], to: "f32")
    try writer.append([1, -0.5, 6e-8], to: "f16")
    try writer.append([1.5, -3e38], to: "bf16")
    try writer.append([7], to: "scalar")
    try [Int64(-1), 1 << 40].withUnsafeBytes { try writer.append(bytes: $0, to: "i64") }
    try writer.finish()
    let written = try Data(contentsOf: URL(fileURLWithPath: folder("f")))
    #expect(written == Data(base64Encoded: referenceFile))
  }
}
