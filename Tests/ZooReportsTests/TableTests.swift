import Foundation
import Testing
import ZooReports

@Suite("A table")
struct TableTests {
  private let table = Table(
    columns: [.init("variant", .left), .init("bytes a token", key: "bytes"), .init("note", .left)],
    rows: [
      ["mha", .whole(131_072), "a, \"b\""], ["gqa:8", .whole(nil), "c | d"], ["mqa"],
    ])

  @Test("stands in aligned columns")
  func aligned() {
    #expect(
      table.render(.table)
        == """
        variant  bytes a token  note
        ───────  ─────────────  ────────
        mha            131,072  a, "b"
        gqa:8                –  c | d
        mqa

        """.replacing("  ────────\n", with: "  ──────\n"))
  }

  @Test("is a GitHub table with bars escaped")
  func markdown() {
    #expect(
      table.render(.markdown) == """
        | variant | bytes a token | note |
        | :-- | --: | :-- |
        | mha | 131,072 | a, "b" |
        | gqa:8 | – | c \\| d |
        | mqa |  |  |

        """)
  }

  @Test("has raw numbers and quoted texts in CSV")
  func csv() {
    #expect(
      table.render(.csv) == """
        variant,bytes,note
        mha,131072,"a, ""b\"""
        gqa:8,,c | d
        mqa,,

        """)
  }

  @Test("has raw numbers and no missing values in JSON")
  func json() throws {
    let text = table.render(.json)
    let objects = try #require(
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
    #expect(objects.count == 3)
    #expect(objects[0]["bytes"] as? Int == 131_072)
    #expect(objects[0]["note"] as? String == "a, \"b\"")
    #expect(objects[1]["bytes"] == nil)
    #expect(Table(columns: []).render(.json) == "[]\n")
  }

  @Test("drops columns in which nothing stands")
  func dropping() {
    let empty = Table(columns: [.init("a"), .init("b")], rows: [["1", "–"], ["2", ""]])
    #expect(empty.droppingEmptyColumns().columns.map(\.title) == ["a"])
  }

  @Test("of rows has the same columns whatever the rows hold")
  func rowTable() {
    let text = RowTable.table(of: SampleRows.all).render(.csv)
    let lines = text.split(separator: "\n")
    let attention = RowTable.table(of: Array(SampleRows.all.prefix(1))).render(.csv)
    #expect(lines.first == attention.split(separator: "\n").first)
    #expect(lines.count == SampleRows.all.count + 1)
    #expect(lines[0].hasPrefix("schema,case,status,reason,"))
    #expect(lines[1].contains(",131072,134217728,"))
  }
}

@Suite("A number as text")
struct NumberTextTests {
  @Test(
    "has significant digits and no exponent",
    arguments: [
      (0.0, "0"), (0.00123456, "0.00123"), (1.0, "1.00"), (9.996, "10.0"), (99.96, "100"),
      (12_345.6, "12,346"), (-0.5, "-0.500"), (1e7, "10,000,000"),
    ])
  func significant(value: Double, text: String) {
    #expect(NumberText.significant(value) == text)
  }

  @Test(
    "names binary units",
    arguments: [
      (512.0, "512 B"), (1024, "1.00 KiB"), (1_048_575, "1.00 MiB"), (2_415_919_104, "2.25 GiB"),
      (1.5, "1.5 B"),
    ])
  func bytes(value: Double, text: String) {
    #expect(NumberText.bytes(value) == text)
  }

  @Test(
    "names contexts as people do", arguments: [(1024, "1k"), (131_072, "128k"), (1000, "1,000")])
  func tokens(value: Int, text: String) {
    #expect(NumberText.tokens(value) == text)
  }

  @Test("is a dash where nothing was measured")
  func missing() {
    #expect(NumberText.significant(nil) == "–")
    #expect(NumberText.significant(.nan) == "–")
    #expect(NumberText.bytes(nil as Int?) == "–")
  }
}
