import Foundation
import Testing

@Suite("A stranger is told what there is and what was expected")
struct HelpTests {
  static let subcommands = [
    "list", "inspect", "machine", "bench", "max-batch", "report", "compare", "plan", "eval",
    "generate",
  ]

  @Test("every subcommand has help with an example of itself", arguments: subcommands)
  func help(_ name: String) throws {
    let ending = try Program().run(name, "--help")
    #expect(ending.code == 0)
    #expect(ending.errors.isEmpty)
    #expect(ending.text.contains("Example"))
    #expect(ending.lines.contains { $0.drop { $0 == " " }.hasPrefix("attnzoo \(name)") })
  }

  @Test("the program's own help names every subcommand and exit code")
  func overview() throws {
    let program = try Program()
    let ending = try program.run("--help")
    #expect(ending.code == 0)
    for name in Self.subcommands { #expect(ending.text.contains("  \(name) ")) }
    for code in ["64", "65", "66", "70", "73", "75", "130"] {
      #expect(ending.text.contains(code))
    }
    #expect(try program.run("--version").code == 0)
  }

  @Test("an unknown subcommand is answered with the known ones")
  func unknownSubcommand() throws {
    let program = try Program()
    try program.refuses(["frobnicate"], 64, "frobnicate", "list, inspect, machine, bench")
    #expect(try !program.run("frobnicate").errors.contains("max-batch-child"))
  }

  @Test(
    "flags that the argument parser refuses are usage errors",
    arguments: [
      ["list", "--nope"], ["list", "extra"], ["list", "--format", "xml"], ["compare", "a"],
      ["generate"], ["max-batch"], ["bench", "--steps", "many"], ["eval", "--segments", "x"],
      ["bench", "--weights", "f8"],
    ])
  func unknownFlags(_ arguments: [String]) throws {
    let ending = try Program().run(arguments)
    #expect(ending.code == 64)
    #expect(ending.output.isEmpty)
    #expect(ending.errors.contains("Usage: attnzoo \(arguments[0])"))
  }
}
