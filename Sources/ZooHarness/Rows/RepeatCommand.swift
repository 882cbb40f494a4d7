import AttentionCore
import ZooRecords

/// The command line that repeats one case.
struct RepeatCommand: Sendable {
  let suite: Suite
  let threads: Int

  /// - Parameter prefillTokens: prompt tokens, where the case measures the time to first token.
  func text(
    scope: RowScope, variant: Variant, context: Int, batch: Int, prefillTokens: Int? = nil
  ) -> String {
    switch scope {
    case .attention, .step:
      var words = ["attnzoo", "bench"] + shared(variant)
      words += ["--context", "\(context)", "--batch", "\(batch)", "--scope", scope.rawValue]
      let limits = suite.limits(context: context, batch: batch)
      words += [
        "--steps", "\(limits.steps)", "--seconds", number(limits.seconds),
        "--warm-up", "\(limits.warmUp)",
      ]
      if let prefillTokens { words += ["--prefill", "\(prefillTokens)"] }
      return words.joined(separator: " ")
    case .maxBatch:
      var words = ["attnzoo", "max-batch"] + shared(variant) + ["--context", "\(context)"]
      if let section = suite.maxBatch {
        words += ["--budget", "\(section.budget)", "--seconds", number(section.secondsPerChild)]
      }
      return words.joined(separator: " ")
    case .fidelity:
      var words = ["attnzoo", "eval", "--model", quoted(suite.fidelity?.model ?? "embedded")]
      words += ["--variants", quoted(variant.notation)]
      if let text = suite.fidelity?.text { words += ["--text", quoted(text)] }
      if let tokens = suite.fidelity?.tokens { words += ["--tokens", quoted(tokens)] }
      if let against = suite.fidelity?.against { words += ["--against", quoted(against)] }
      if let kind = suite.fidelity?.kind { words += ["--kind", kind.rawValue] }
      if let segments = suite.fidelity?.segments { words += ["--segments", "\(segments)"] }
      words += running
      return words.joined(separator: " ")
    }
  }

  private func shared(_ variant: Variant) -> [String] {
    var words =
      suite.model.map { ["--model", quoted($0)] }
      ?? ["--geometry", quoted(suite.geometrySource ?? suite.geometry.name)]
    words += ["--variants", quoted(variant.notation)]
    return words + ["--weights", suite.weights.rawValue] + running
  }

  private var running: [String] {
    var words = ["--cache", suite.storage.name]
    if let page = suite.storage.pageTokens { words += ["--page-size", "\(page)"] }
    return words + ["--threads", "\(threads)", "--seed", "\(suite.seed)"]
  }

  private func number(_ value: Double) -> String {
    value == value.rounded() && value < 1e9 ? "\(Int(value))" : "\(value)"
  }

  /// Quoted for a shell where it has to be.
  private func quoted(_ word: String) -> String {
    let plain = word.allSatisfy { $0.isLetter || $0.isNumber || "-_./:+@,".contains($0) }
    if plain, !word.isEmpty { return word }
    let pieces = word.split(separator: "'", omittingEmptySubsequences: false)
    return "'" + pieces.joined(separator: "'\\''") + "'"
  }
}
