/// The command line that runs.
enum CommandText {
  static var own: String {
    let words =
      ["attnzoo"]
      + CommandLine.arguments.dropFirst().map { word in
        let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./:+,@=*".contains($0) }
        return plain && !word.isEmpty ? word : "'\(word.replacing("'", with: "'\\''"))'"
      }
    return words.joined(separator: " ")
  }
}
