import Testing

@Suite("A notation without meaning is refused before anything runs")
struct NotationTests {
  /// The notation, and what its message must say.
  static let senseless = [
    ("gqa:5", "expected a divisor of 32"), ("cla:0", "must start with one of mha"),
    ("mha/cla:0", "needs F"), ("mla:0+64", "needs R"), ("swa:-1", "must start with one of mha"),
    ("mha/swa:-1", "needs W"), ("mha/swa:0", "needs W"), ("", "must start with one of mha"),
    ("mha@f7", "f7"), ("[mha*3,mqa]", "layers"),
  ]

  /// The part that a message names: the last axis.
  private static func part(_ notation: String) -> String {
    notation.split(separator: "/").last.map(String.init) ?? "(empty)"
  }

  @Test("given by a flag it is a usage error", arguments: senseless)
  func flag(_ notation: String, _ expected: String) throws {
    let folder = try TemporaryFolder()
    let program = try Program(in: folder)
    for command in ["bench", "max-batch", "list", "plan"] {
      try program.refuses([command, "--variants", notation], 64, Self.part(notation), expected)
    }
    if !notation.isEmpty {
      try program.refuses(["inspect", notation], 64, Self.part(notation), expected)
    }
    #expect(try folder.contents == [])
  }

  @Test("in a suite file it is bad data at its line", arguments: senseless.filter { !$0.0.isEmpty })
  func suite(_ notation: String, _ expected: String) throws {
    let folder = try TemporaryFolder()
    try folder.write(
      """
      name: senseless
      geometry: llama-3.2-1b
      variants:
        - mha
        - "\(notation)"
      attention: {contexts: [64], batches: [1]}
      """, to: "suite.yaml")
    try Program(in: folder).refuses(
      ["bench", "--suite", "suite.yaml"], 65, "suite.yaml:5: ", Self.part(notation), expected)
    #expect(try folder.contents == ["suite.yaml"])
  }

  @Test("models that are not there are named with those that are")
  func geometry() throws {
    let program = try Program()
    try program.refuses(["list", "--geometry", "llama-9"], 64, "llama-9", "llama-3.2-1b")
    try program.refuses(["list", "--geometry", "./absent"], 66, "./absent", "no such folder")
    try program.refuses(["eval", "--variants", "gqa:3", "--model", "embedded"], 64, "gqa:3")
    try program.refuses(["plan", "--device", "abacus"], 64, "abacus", "H200 SXM")
  }
}
