import AttentionCore
import Foundation
import ZooHarness
import ZooModels
import ZooRecords
import ZooReports

/// A comparison of conversions as markdown, with a chart beside it. The same results give the same
/// bytes.
struct ConversionReport {
  let results: [ConversionRunner.Result]
  let source: any LayerSource
  let tokens: ConversionTokens?
  let command: String

  /// Writes the charts and the report, all of them or none.
  /// - Parameter path: ends in `.md`.
  /// - Throws: `RecordError`, `HarnessError` where nothing was measured.
  func write(to path: String) throws {
    guard let tokens, let original = results.first?.original else {
      throw HarnessError(.badData, "\(path): no losses were measured, expected evaluation segments")
    }
    let stem = URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    let folder = path.dropLast(URL(fileURLWithPath: path).lastPathComponent.count)
    let charts = ConversionCharts(results: results, model: source.geometry.name, original: original)
      .all()
    try AtomicFile.write(
      charts.map { (path: "\(folder)\(stem)-\($0.name).svg", text: $0.chart.svg()) }
        + [(path: path, text: text(tokens: tokens, original: original, charts: charts, stem: stem))]
    )
  }

  private func text(
    tokens: ConversionTokens, original: ModelLoss, charts: [NamedChart], stem: String
  ) -> String {
    let geometry = source.geometry
    let seen = tokens.calibration.reduce(0) { $0 + $1.count }
    var parts: [String] = [
      "# \(geometry.name): latent attention without training",
      "To repeat:\n\n```sh\n\(command)\n```",
      """
      The model's own variant is `\(source.variant.notation)`: \(geometry.layers) layers, hidden \
      \(geometry.hidden), \(geometry.queryHeads) query heads and \(geometry.keyValueHeads) key/value \
      heads of \(geometry.headWidth), \
      \(NumberText.whole(results.first?.keyValueBytesBefore)) cached bytes a token, \
      \(unit(original)). Calibrated on the first \(NumberText.whole(seen)) tokens of \
      \(tokens.source), measured on its last \(tokens.evaluation.count) segments of 1,024, of which \
      the later 512 each are scored; rows are kept in float32, so that codecs cost nothing here. \
      Weights `\(source.weightHash)`, tokens `\(tokens.hash)`.
      """,
    ]
    parts += charts.map { "![\($0.chart.title)](\(stem)-\($0.name).svg)" }
    parts.append("## Losses")
    parts.append(
      """
      *split*: nothing but the RoPE split, every direction of the latent kept. *rank*: the split and \
      the rank reduction. *change*: 95 % interval of the difference to the original, paired over \
      segments. *attention error*: relative error of attention's results on calibration tokens, mean \
      over layers, each layer given the original's hidden states.
      """)
    parts.append(
      ConversionTables.comparison(results).droppingEmptyColumns().render(.markdown)
        .trimmingCharacters(in: .newlines))
    parts.append("## What the rows say")
    parts.append(
      ConversionFindings(results: results, original: original).all().map { "- \($0)" }
        .joined(separator: "\n"))
    parts.append("## What is published")
    parts.append(Self.published)
    return parts.joined(separator: "\n\n") + "\n"
  }

  private func unit(_ loss: ModelLoss) -> String {
    loss.bitsPerByte.map { "\(NumberText.fixed($0, decimals: 4)) bits per byte" }
      ?? "\(NumberText.fixed(loss.natsPerToken, decimals: 4)) nats per token"
  }

  private static let published = """
    Of other models, for orderings only:

    - TransMLA ([arXiv 2502.07864](https://arxiv.org/abs/2502.07864), its README) finds the RoPE split \
    to be most of the loss on Llama (Llama-2-7B, 512+64, perplexity 5.47 → 18.64 after the split → \
    41.61 after the rank; with 448+128 5.47 → 8.99 → 25.77), so that a wider slice helps more than a \
    wider latent, and little of it on models whose keys have fewer heads or less position in them \
    (Qwen2.5-7B 6.85 → 7.84 → 8.41).
    - MHA2MLA ([arXiv 2502.14837](https://arxiv.org/abs/2502.14837)) keeps a slice a head, chosen by \
    the norms of queries and keys, and factorises keys and values jointly: better than apart.
    - CARE ([arXiv 2603.17946](https://arxiv.org/abs/2603.17946)) finds factorising weights alone far \
    behind activation-aware factorisation at equal rank (Llama-3.1-8B, rank 512, perplexity 7.21: 220 \
    against 9.6).

    These losses are those of conversion without training. They say nothing about a model that was \
    trained as MLA, or healed after conversion.
    """
}
