import Testing

@Suite("A broken suite file is refused at its line")
struct SuiteFileTests {
  static let header = "name: a\ngeometry: tiny\nvariants: [mha]\n"

  static let broken: [(text: String, place: String, expected: String)] = [
    (header + "colour: red\n", "4", "unknown key \"colour\""),
    (header + "attention: {contexts: [64], batches: [1], colour: red}\n", "4", "unknown key"),
    (header + "attention: {contexts: 64, batches: [1]}\n", "4", "attention.contexts"),
    (header + "attention: {contexts: [64], batches: [one]}\n", "4", "attention.batches"),
    (header + "attention: {contexts: [-64], batches: [1]}\n", "4", "attention.contexts"),
    (header + "attention: {contexts: [64]}\n", "4", "expected the key batches"),
    (header + "seed: [1]\n", "4", "seed"),
    (header + "threads: 0\n", "4", "threads"),
    ("name: ../a\ngeometry: tiny\n", "1", "expected a name that files can have"),
    ("name: .a\ngeometry: tiny\n", "1", "expected a name that files can have"),
    (header + "cache: heap\n", "4", "contiguous, ring, paged"),
    (header + "page_size: 0\ncache: paged\n", "4", "page_size"),
    (header + "max_batch: {budget: plenty, contexts: [128]}\n", "4", "weights+4GiB"),
    ("name: a\nvariants: [mha]\n", "1", "expected the key geometry"),
    ("name: a\ngeometry: nowhere\nvariants: [mha]\n", "2", "nowhere"),
    ("- a\n- b\n", "1", "mapping"),
    ("just words\n", "1", "mapping"),
    ("name: [a\ngeometry: tiny\n", "", "YAML"),
    ("name: a\nname: b\n", "", "twice"),
    ("", "1", "mapping"),
  ]

  @Test("with file, line and what was expected", arguments: broken.indices)
  func isRefused(_ index: Int) throws {
    let (text, place, expected) = Self.broken[index]
    let folder = try TemporaryFolder()
    try folder.write(text, to: "s.yaml")
    try Program(in: folder).refuses(
      ["bench", "--suite", "s.yaml"], 65, place.isEmpty ? "s.yaml:" : "s.yaml:\(place): ",
      expected)
    #expect(try folder.contents == ["s.yaml"])
  }

  @Test("a suite without anything to run, and a file that is no text, are bad data")
  func nothingToRun() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try folder.write(Self.header, to: "s.yaml")
    try program.refuses(["bench", "--suite", "s.yaml"], 65, "s.yaml", "scopes")
    try folder.write([0xff, 0xfe, 0x00, 0x80], to: "s.yaml")
    try program.refuses(["bench", "--suite", "s.yaml"], 65, "s.yaml", "UTF-8")
  }

  @Test("a file that is not there, or a folder in its place, is missing input")
  func missing() throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    try program.refuses(["bench", "--suite", "absent.yaml"], 66, "absent.yaml")
    try program.refuses(["bench", "--suite", folder.path], 66, folder.path)
    try program.refuses(
      ["bench", "--suite", "absent.yaml", "--variants", "mha"], 64, "--suite")
  }
}
