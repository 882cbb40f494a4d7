import Foundation
import Testing

@Suite("Results are what their format says, or are not there")
struct OutputTests {
  /// Commands that print a table.
  static let tables = [
    ["list"], ["list", "--axes"], ["list", "--geometries"], ["plan"], ["plan", "--devices"],
    ["inspect", "gqa:8/hybrid:5:1:1024"], ["inspect", "mla:512+64"],
  ]

  @Test("JSON is a list of objects that all have the first column", arguments: tables)
  func json(_ command: [String]) throws {
    let ending = try Program().run(command + ["--format", "json"])
    #expect(ending.code == 0)
    let value = try JSONSerialization.jsonObject(with: Data(ending.output))
    let rows = try #require(value as? [[String: Any]])
    #expect(!rows.isEmpty)
    let names = ["variant", "axis", "geometry", "device", "layer"]
    #expect(names.contains { name in rows.allSatisfy { $0[name] != nil } })
  }

  @Test("CSV has as many fields in each line as in its first", arguments: tables)
  func csv(_ command: [String]) throws {
    let ending = try Program().run(command + ["--format", "csv"])
    #expect(ending.code == 0)
    #expect(ending.lines.count > 1)
    #expect(Set(ending.lines.map { Self.fields(String($0)) }).count == 1)
  }

  @Test("markdown has a table with a rule under its head", arguments: tables)
  func markdown(_ command: [String]) throws {
    let ending = try Program().run(command + ["--format", "markdown"])
    #expect(ending.code == 0)
    let table = ending.lines.filter { $0.hasPrefix("|") }
    try #require(table.count > 2)
    #expect(table[1].allSatisfy { "|-: ".contains($0) })
    #expect(Set(table.map { $0.replacing("\\|", with: "").count { $0 == "|" } }).count == 1)
  }

  @Test("a table for people has columns of one width", arguments: tables)
  func table(_ command: [String]) throws {
    let ending = try Program().run(command + ["--format", "table"])
    #expect(ending.code == 0)
    #expect(ending.lines.contains { $0.hasPrefix("──") })
    #expect(ending.errors.isEmpty)
  }

  /// Fields of a line of CSV, quoted ones may hold commas.
  private static func fields(_ line: String) -> Int {
    var isQuoted = false
    var count = 1
    for character in line {
      if character == "\"" { isQuoted.toggle() }
      if character == ",", !isQuoted { count += 1 }
    }
    return count
  }

  @Test("list has every variant of the default suite with its bytes a token")
  func defaultSuite() throws {
    let ending = try Program().run("list", "--format", "json")
    let value = try JSONSerialization.jsonObject(with: Data(ending.output))
    let rows = try #require(value as? [[String: Any]])
    // 16 layers of f16 rows: 2 · 32 heads · 64 wide · 2 bytes for mha, 576 · 2 bytes for MLA.
    let expected = [
      "mha": 131_072, "gqa:8": 32_768, "mqa": 4_096, "mla:512+64": 18_432, "mla:256+32": 9_216,
      "gqa:8/cla:2": 16_384, "mqa/cla:2": 2_048, "gqa:8/swa:1024": 32_768,
      "gqa:8/hybrid:5:1:1024": 32_768, "mla:512+64/cla:2": 9_216,
    ]
    for (variant, bytes) in expected {
      let row = try #require(rows.first { $0["variant"] as? String == variant }, "\(variant)")
      #expect(row["bytes_per_token"] as? Int == bytes, "\(variant)")
    }
  }

  @Test("a reader that goes away and a full disk end the program without a trap")
  func closedOutput() throws {
    let program = try Program()
    for command in ["list", "generate --prompt a --tokens 40"] {
      let piped = try program.shell("(sleep 0.3; $ATTNZOO \(command); echo $? >&2) | true")
      // 128 and SIGPIPE, as of other programs; 73 where the test itself runs without that signal.
      let code = try #require(piped.errorLines.last)
      #expect(["141", "73"].contains(code), Comment(rawValue: piped.errors))
      let deaf = try program.shell(
        "trap '' PIPE; (sleep 0.3; $ATTNZOO \(command); echo $? >&2) | true")
      #expect(deaf.errorLines.count == 2)
      #expect(deaf.errors.hasPrefix("attnzoo: standard output: "))
      #expect(deaf.errorLines.last == "73", Comment(rawValue: deaf.errors))
      if FileManager.default.fileExists(atPath: "/dev/full") {
        let full = try program.shell("$ATTNZOO \(command) >/dev/full")
        #expect(full.code == 73)
        #expect(full.errorLines.count == 1)
        #expect(full.errors.hasPrefix("attnzoo: standard output: "))
      }
    }
    #expect(try program.shell("$ATTNZOO list --geometry nowhere 2>&-").code == 64)
  }
}

@Suite("Text is continued the same way twice")
struct GenerateTests {
  @Test(
    "greedily, and by a seed",
    arguments: [
      ["--prompt", "def "], ["--prompt", "import ", "--temperature", "0.8", "--seed", "7"],
      ["--prompt", "x", "--variant", "mha/swa:256", "--temperature", "1", "--top-k", "5"],
    ])
  func repeats(_ arguments: [String]) throws {
    let program = try Program()
    let command = ["generate", "--tokens", "32", "--threads", "1"] + arguments
    let first = try program.run(command)
    #expect(first.code == 0)
    // The prompt, the new bytes and a line break.
    #expect(first.output.count == arguments[1].utf8.count + 33)
    #expect(first.text.hasPrefix(arguments[1]))
    #expect(try program.run(command).output == first.output)
  }

  @Test("another seed draws another text")
  func seeds() throws {
    let program = try Program()
    let texts = try ["1", "2"].map {
      try program.run(
        "generate", "--prompt", "def ", "--tokens", "32", "--temperature", "1", "--seed", $0
      ).output
    }
    #expect(texts[0] != texts[1])
  }

  @Test("requests out of range are usage errors")
  func refused() throws {
    let program = try Program()
    try program.refuses(["generate", "--prompt", ""], 64, "--prompt")
    let start = ["generate", "--prompt", "a"]
    try program.refuses(start + ["--tokens", "0"], 64, "--tokens")
    try program.refuses(start + ["--tokens=-1"], 64, "--tokens")
    try program.refuses(start + ["--tokens", "1024"], 64, "1024")
    try program.refuses(start + ["--tokens", "9223372036854775807"], 64, "--tokens")
    for flag in ["--temperature=nan", "--temperature=-1", "--top-p=0", "--top-p=2", "--top-k=-1"] {
      try program.refuses(start + [flag], 64, "--top-p")
    }
    try program.refuses(start + ["--variant", "gqa:3"], 64, "gqa:3")
  }
}
