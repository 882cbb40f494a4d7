import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooModels

/// `attnzoo generate`: text from a byte-level model, through any variant's cache.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continues a prompt with a byte-level model, as its own variant or converted.",
    discussion: """
      Examples:
        attnzoo generate --prompt "def main(" --tokens 200
        attnzoo generate --prompt "import " --variant mha/swa:256 --temperature 0.8 --seed 7
      """)

  @Option(help: "Text to continue.")
  var prompt: String
  @Option(help: "Tokens to add.")
  var tokens: Int = 200
  @Option(help: "embedded, or the folder of a byte-level checkpoint.")
  var model: String = "embedded"
  @Option(help: "A variant to convert to; the model's own by default.")
  var variant: String?
  @Option(help: "0: the most likely token every time.")
  var temperature: Float = 0
  @Option(help: "Draw from the k most likely tokens only; 0: all.")
  var topK: Int = 0
  @Option(help: "Draw from the most likely tokens that reach p together; 1: all.")
  var topP: Float = 1
  @OptionGroup var options: RunOptions

  func run() throws {
    guard !prompt.isEmpty else { throw UsageError("--prompt: expected at least one byte") }
    guard (1...1_000_000).contains(tokens) else {
      throw UsageError("--tokens \(tokens): expected 1 to 1,000,000")
    }
    guard temperature >= 0, temperature.isFinite, topK >= 0, topP > 0, topP <= 1 else {
      throw UsageError("expected --temperature from 0, --top-k from 0 and --top-p over 0 to 1")
    }
    let pool = try options.pool()
    var decoder =
      model == EmbeddedModel.name
      ? try EmbeddedModel.load(pool: pool)
      : try DecoderModel(
        checkpoint: try CheckpointFolder(path: model),
        name: URL(fileURLWithPath: model).lastPathComponent, format: .float32, pool: pool)
    guard decoder.geometry.vocabulary == ByteTokenizer().vocabularySize else {
      throw HarnessError(
        .badData,
        "\(model): vocabulary of \(decoder.geometry.vocabulary), expected a byte-level model")
    }
    if let variant {
      decoder = try decoder.converted(to: try AxisRegistry.standard.variant(variant))
    }
    let ids = ByteTokenizer().encode(prompt).map { Int32($0) }
    guard ids.count + tokens <= decoder.geometry.maxPositions else {
      throw UsageError(
        "prompt and --tokens are \(ids.count + tokens) bytes together; \(decoder.weightSource) was "
          + "made for \(decoder.geometry.maxPositions)")
    }
    let generator = try Generator(
      runner: try DecoderRunner(model: decoder, pool: pool), capacity: ids.count + tokens,
      sampling: Sampling(
        temperature: temperature, topK: topK, topP: topP, seed: options.seed),
      storage: try options.storage())
    try StandardStreams.output(prompt)
    var problem: HarnessError?
    try generator.generate(prompt: ids, count: tokens) { token in
      do throws(HarnessError) {
        try StandardStreams.output([UInt8(truncatingIfNeeded: token)])
      } catch {
        problem = error
      }
      return problem == nil
    }
    if let problem { throw problem }
    try StandardStreams.output("\n")
  }
}
