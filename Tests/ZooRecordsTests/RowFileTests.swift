import Foundation
import Testing
import ZooRecords

@Suite("A file of rows")
struct RowFileTests {
  private let folder: TemporaryFolder
  private let lines: [String]

  init() throws {
    folder = try TemporaryFolder()
    lines = try ["a", "b", "c"].map { try RowCoding.line(of: MadeUpRow.full(caseID: $0)) }
  }

  private var cut: String { lines[0] + "\n" + lines[1] + "\n" + lines[2].prefix(200) }

  @Test("cut in the middle of a line is an error that names file and line")
  func cutFile() throws {
    let path = try folder.write(cut, to: "rows.jsonl")
    let error = #expect(throws: RecordError.self) { try RowFile(path: path) }
    #expect(error?.file == path)
    #expect(error?.place == "line 3")
    #expect(error?.expected.contains("cut after 200 bytes") == true)
    #expect(error?.exitCode == 65)
    #expect(error?.description.contains("\n") == false)
  }

  @Test("cut in its last line can be gone on with, and says what was left out")
  func recovering() throws {
    let path = try folder.write(cut, to: "rows.jsonl")
    let file = try RowFile(path: path, recovering: true)
    #expect(file.rows.map(\.caseID) == ["a", "b"])
    #expect(file.note?.contains("line 3") == true)
  }

  @Test("cut anywhere else stays an error when going on")
  func cutInside() throws {
    let path = try folder.write(
      lines[0].prefix(99) + "\n" + lines[1] + "\n", to: "rows.jsonl")
    let error = #expect(throws: RecordError.self) { try RowFile(path: path, recovering: true) }
    #expect(error?.place == "line 1")
  }

  @Test("whose last row is whole but lacks its line break is read")
  func noLineBreak() throws {
    let path = try folder.write(lines.joined(separator: "\n"), to: "rows.jsonl")
    let file = try RowFile(path: path)
    #expect(file.rows.count == 3)
    #expect(file.needsLineBreak)
  }

  @Test("may hold empty lines and Windows line ends")
  func emptyLines() throws {
    let path = try folder.write(lines.joined(separator: "\r\n\r\n") + "\n\n", to: "rows.jsonl")
    #expect(try RowFile(path: path).rows.count == 3)
  }

  @Test("that is missing is exit code 66")
  func missing() {
    let error = #expect(throws: RecordError.self) { try RowFile(path: folder.file("none")) }
    #expect(error?.exitCode == 66)
  }

  @Test("without a row is refused by a reader that needs some", arguments: ["", "\n \n"])
  func empty(content: String) throws {
    let path = try folder.write(content, to: "rows.jsonl")
    #expect(try RowFile(path: path).rows.isEmpty)
    let error = #expect(throws: RecordError.self) { try RowFile.someRows(path: path) }
    #expect(error?.exitCode == 65)
    #expect(error?.file == path)
  }

  @Test("is not made before its first row")
  func lazily() throws {
    let path = folder.file("rows.jsonl")
    let writer = try RowWriter(path: path)
    #expect(!FileManager.default.fileExists(atPath: path))
    try writer.append(MadeUpRow.full(caseID: "a"))
    #expect(FileManager.default.fileExists(atPath: path))
  }

  @Test("grows by whole lines as cases finish, in a folder that is made")
  func appending() throws {
    let path = folder.file("deep/er/rows.jsonl")
    let writer = try RowWriter(path: path)
    #expect(writer.existing.isEmpty)
    try writer.append(MadeUpRow.full(caseID: "a"))
    #expect(try RowFile(path: path).rows.map(\.caseID) == ["a"])
    try writer.append(MadeUpRow.full(caseID: "b"))
    #expect(try folder.text(of: "deep/er/rows.jsonl") == lines[0] + "\n" + lines[1] + "\n")
  }

  @Test("that was cut is appended to from its last whole row")
  func appendingAfterACut() throws {
    let path = try folder.write(cut, to: "rows.jsonl")
    let writer = try RowWriter(path: path)
    #expect(writer.existing.count == 2)
    #expect(writer.note != nil)
    try writer.append(MadeUpRow.full(caseID: "c"))
    #expect(try folder.text(of: "rows.jsonl") == lines.joined(separator: "\n") + "\n")
  }

  @Test("without its last line break gets it before the next row")
  func appendingAfterNoLineBreak() throws {
    let path = try folder.write(lines[0], to: "rows.jsonl")
    try RowWriter(path: path).append(MadeUpRow.full(caseID: "b"))
    #expect(try folder.text(of: "rows.jsonl") == lines[0] + "\n" + lines[1] + "\n")
  }

  @Test("is not appended to when it holds something else")
  func notRows() throws {
    let path = try folder.write("# Notes\n", to: "notes.md")
    let error = #expect(throws: RecordError.self) { try RowWriter(path: path) }
    #expect(error?.exitCode == 65)
    #expect(try folder.text(of: "notes.md") == "# Notes\n")
  }

  @Test("in a folder that cannot be written is exit code 73")
  func unwritable() throws {
    let path = try folder.write("", to: "file")
    for place in ["\(path)/rows.jsonl", folder.path, "/proc/none/rows.jsonl", "/dev/null"] {
      let error = #expect(throws: RecordError.self) { try RowWriter(path: place) }
      #expect(error?.exitCode == 73)
    }
    // A folder that is there, in which not even root makes a file.
    let error = #expect(throws: RecordError.self) { try RowWriter(path: "/sys/rows.jsonl") }
    #expect(error?.exitCode == 73)
    #expect(error?.expected.contains("No such file") == false)
  }

  @Test("gets a name that is not taken")
  func freshPath() throws {
    #expect(
      RowWriter.freshPath(folder: folder.path, stem: "run", extension: "jsonl")
        == folder.file("run.jsonl"))
    _ = try folder.write("", to: "run.jsonl")
    _ = try folder.write("", to: "run-2.jsonl")
    #expect(
      RowWriter.freshPath(folder: folder.path, stem: "run", extension: "jsonl")
        == folder.file("run-3.jsonl"))
  }

  @Test("written at once is there whole, and nothing is left beside it")
  func atomic() throws {
    try AtomicFile.write("one", to: folder.file("deep/report.md"))
    try AtomicFile.write("two", to: folder.file("deep/report.md"))
    #expect(try folder.text(of: "deep/report.md") == "two")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.file("deep")).count == 1)
  }

  @Test("that cannot be written at once leaves nothing behind")
  func atomicFailure() throws {
    let error = #expect(throws: RecordError.self) {
      try AtomicFile.write("one", to: folder.path)
    }
    #expect(error?.exitCode == 73)
    #expect(folder.names.isEmpty)
    let parent = URL(fileURLWithPath: folder.path).deletingLastPathComponent()
    let beside = try FileManager.default.contentsOfDirectory(atPath: parent.path)
    let name = URL(fileURLWithPath: folder.path).lastPathComponent
    #expect(!beside.contains { $0.hasPrefix(name) && $0.hasSuffix(".part") })
  }

  @Test("written together with one that cannot be leaves none", arguments: ["", "folder", "pipe"])
  func atomicTogether(refused: String) throws {
    try FileManager.default.createDirectory(
      atPath: folder.file("folder"), withIntermediateDirectories: true)
    try #require(mkfifo(folder.file("pipe"), 0o600) == 0)
    let path = refused.isEmpty ? refused : folder.file(refused)
    let error = #expect(throws: RecordError.self) {
      try AtomicFile.write([(folder.file("chart.svg"), "one"), (path, "two")])
    }
    #expect(error?.exitCode == 73)
    #expect(folder.names == ["folder", "pipe"])
    var status = stat()
    #expect(lstat(folder.file("pipe"), &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
  }
}
