import ArgumentParser
import AttentionCore
import Foundation
import ZooHarness
import ZooModels

/// `attnzoo generate`: text from a model with its tokenizer, through any variant's cache.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Continues a prompt with a model, as its own variant or converted.",
    discussion: """
      A folder's tokenizer.json (byte-level BPE) reads the prompt, with what its template puts around \
      it, and writes the text; a model of 256 tokens without one is of bytes. Generation ends at the \
      model's token of the end.

      Examples:
        attnzoo generate --prompt "def main(" --tokens 200
        attnzoo generate --prompt "import " --variant mha/swa:256 --temperature 0.8 --seed 7
        attnzoo generate --model ./SmolLM2-135M --prompt "The capital of France is" --tokens 20
      """)

  @Option(help: "Text to continue.")
  var prompt: String
  @Option(help: "Tokens to add.")
  var tokens: Int = 200
  @Option(help: "embedded, or a checkpoint folder.")
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
    let folder = ModelFolder(model)
    var decoder = try folder.load(format: .float32, pool: pool)
    let tokenizer = try folder.requiredTokenizer(vocabulary: decoder.geometry.vocabulary)
    if let variant {
      decoder = try decoder.asVariant(try OwnVariant.variant(variant, on: decoder.geometry))
    }
    let ids = tokenizer.encode(prompt: Array(prompt.utf8)).map { Int32($0) }
    guard !ids.isEmpty else {
      throw UsageError("--prompt: its tokenizer gives no token for it, expected at least one")
    }
    guard ids.count + tokens <= decoder.geometry.maxPositions else {
      throw UsageError(
        "prompt and --tokens are \(ids.count + tokens) tokens together; \(decoder.weightSource) was "
          + "made for \(decoder.geometry.maxPositions)")
    }
    let generator = try Generator(
      runner: try DecoderRunner(model: decoder, pool: pool), capacity: ids.count + tokens,
      sampling: Sampling(
        temperature: temperature, topK: topK, topP: topP, seed: options.seed),
      storage: try options.storage())
    try StandardStreams.output(prompt)
    var problem: HarnessError?
    let ends = try folder.endTokens()
    try generator.generate(prompt: ids, count: tokens) { token in
      if ends.contains(Int(token)) { return false }
      do throws(HarnessError) {
        try StandardStreams.output(tokenizer.decode([Int(token)]))
      } catch {
        problem = error
      }
      return problem == nil
    }
    if let problem { throw problem }
    try StandardStreams.output("\n")
  }
}
