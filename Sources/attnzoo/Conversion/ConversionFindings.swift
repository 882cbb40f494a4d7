import AttentionCore
import Foundation
import ZooHarness
import ZooModels
import ZooReports

/// Orderings that a comparison of conversions supports, each with the number of pairs behind it. Of two
/// conversions one is called better only where the paired interval of their difference excludes zero.
struct ConversionFindings {
  let results: [ConversionRunner.Result]
  let original: ModelLoss

  private typealias Result = ConversionRunner.Result

  func all() -> [String] {
    [methods(), ranks(), splits(), folds(), frequencies(), slices(), budgets()].compactMap { $0 }
  }

  /// Which of two is better: −1 the left, 1 the right, 0 where the interval holds zero.
  private func compare(_ left: Result, _ right: Result) -> Int {
    guard let one = left.reduced, let other = right.reduced,
      let excess = one.excess(over: other)
    else { return 0 }
    return excess.high < 0 ? -1 : excess.low > 0 ? 1 : 0
  }

  /// Pairs of results that `key` calls equal and `side` tells apart.
  private func pairs<Key: Hashable>(
    _ key: (Result) -> Key?, _ side: (Result) -> Bool?
  ) -> [(Result, Result)] {
    var order: [Key] = []
    var found: [Key: (Result?, Result?)] = [:]
    for result in results {
      guard let key = key(result), let side = side(result) else { continue }
      if found[key] == nil { order.append(key) }
      if side {
        found[key, default: (nil, nil)].0 = result
      } else {
        found[key, default: (nil, nil)].1 = result
      }
    }
    return order.compactMap { key in
      guard let (left, right) = found[key], let left, let right else { return nil }
      return (left, right)
    }
  }

  private func verdict(_ pairs: [(Result, Result)], _ left: String, _ right: String) -> String {
    let signs = pairs.map(compare)
    let (better, worse) = (signs.count { $0 < 0 }, signs.count { $0 > 0 })
    return "of \(pairs.count) pairs \(left) is better in \(better), \(right) in \(worse), "
      + "\(pairs.count - better - worse) undecided"
  }

  private func excess(_ loss: ModelLoss?) -> Double {
    guard let loss else { return 0 }
    return (loss.bitsPerByte ?? loss.natsPerToken)
      - (original.bitsPerByte ?? original.natsPerToken)
  }

  private var unit: String { original.bitsPerByte == nil ? "nats per token" : "bits per byte" }

  private func latent(_ result: Result) -> MultiHeadLatent? {
    result.goal.target.uniform?.heads as? MultiHeadLatent
  }

  private func fixed(_ value: Double) -> String { NumberText.fixed(value, decimals: 4) }

  private func methods() -> String? {
    let found = pairs(
      { result in
        latent(result) == nil
          ? nil
          : [
            result.goal.target.notation, "\(result.goal.ranks)",
            "\(String(describing: result.goal.options.frequencies))",
          ]
      }, { $0.goal.options.method == .calibrated })
    guard !found.isEmpty else { return nil }
    let worst = found.max { excess($0.1.reduced) < excess($1.1.reduced) }
    let example = worst.map {
      "; furthest apart at `\($0.0.goal.target.notation)`, where the loss over the original is "
        + "\(fixed(excess($0.0.reduced))) calibrated and \(fixed(excess($0.1.reduced))) weights-only "
        + unit
    }
    return "**Calibrated against weights-only** at equal rank: "
      + verdict(found, "calibrated", "weights-only") + (example ?? "") + "."
  }

  private func ranks() -> String? {
    let named = results.filter { $0.goal.ranks == .named && latent($0) != nil }
    let ladders = Dictionary(grouping: named) { result -> String in
      let heads = latent(result)
      return [
        "\(heads?.ropeWidth ?? 0)x\(heads?.ropeSlices ?? 0)",
        result.goal.options.method.rawValue,
        "\(String(describing: result.goal.options.frequencies))",
      ].joined(separator: " ")
    }.values.filter { $0.count > 1 }
    guard !ladders.isEmpty else { return nil }
    var (steps, falls) = (0, 0)
    for ladder in ladders {
      let sorted = ladder.sorted { (latent($0)?.rank ?? 0) < (latent($1)?.rank ?? 0) }
      for (low, high) in zip(sorted, sorted.dropFirst()) {
        steps += 1
        if excess(high.reduced) <= excess(low.reduced) { falls += 1 }
      }
    }
    return "**Rank**: the loss falls in \(falls) of \(steps) steps to the next higher rank of the "
      + "same slice and method."
  }

  private func splits() -> String? {
    let measured = results.filter {
      $0.goal.options.method == .calibrated && $0.split != nil && latent($0) != nil
        && excess($0.reduced) > 0
    }
    guard !measured.isEmpty else { return nil }
    let most = measured.count { excess($0.split) > excess($0.reduced) / 2 }
    let byWidth = Dictionary(grouping: measured) { result -> String in
      let heads = latent(result)
      return heads?.ropeSlices == 1
        ? "shared \(heads?.ropeWidth ?? 0)"
        : "\(heads?.ropeSlices ?? 0) × \(heads?.ropeWidth ?? 0)"
    }
    let widths = byWidth.sorted { $0.key < $1.key }.map { name, rows in
      let least = rows.map { excess($0.split) }.min() ?? 0
      return "\(name) \(fixed(least))"
    }
    return "**The RoPE split** is more than half of the calibrated loss in \(most) of "
      + "\(measured.count) rows. Alone it costs, by slice: " + widths.joined(separator: ", ")
      + " \(unit)."
  }

  private func folds() -> String? {
    var counts: [Int: Int] = [:]
    for layer in results.filter({ $0.goal.options.fold == nil }).flatMap(\.layers) {
      if let factors = layer.factors, factors.stockFrequencies {
        counts[factors.fold, default: 0] += 1
      }
    }
    guard !counts.isEmpty else { return nil }
    let texts = counts.sorted { $0.key < $1.key }.map { "\($0.key) in \($0.value)" }
    return "**Folding**: of stock slices the measured fold is " + texts.joined(separator: ", ")
      + " layers."
  }

  private func frequencies() -> String? {
    let found = pairs(
      { result in
        latent(result)?.ropeSlices == 1
          ? [
            result.goal.target.notation, result.goal.options.method.rawValue,
            "\(result.goal.ranks)",
          ] : nil
      }, { $0.layers.first?.factors.map { !$0.stockFrequencies } })
    guard !found.isEmpty else { return nil }
    return "**Frequencies** of a shared slice: "
      + verdict(found, "each layer's choice by energy", "stock")
      + ". Only stock ones can be said in DeepSeek's configuration."
  }

  private func slices() -> String? {
    let calibrated = results.filter {
      $0.goal.options.method == .calibrated && $0.goal.ranks == .named
    }
    let shared = calibrated.filter { latent($0)?.ropeSlices == 1 }
    let perHead = calibrated.filter { (latent($0)?.ropeSlices ?? 1) > 1 }
    let found = perHead.compactMap { result -> (Result, Result)? in
      let equal = shared.filter { $0.keyValueBytesAfter == result.keyValueBytesAfter }
      guard let best = equal.min(by: { excess($0.reduced) < excess($1.reduced) }) else {
        return nil
      }
      return (result, best)
    }
    guard !found.isEmpty else { return nil }
    return "**A slice a head against the best shared slice of equal bytes**: "
      + verdict(found, "a slice a head", "the shared slice") + "."
  }

  private func budgets() -> String? {
    let budgeted = results.filter { if case .keyValueBytes = $0.goal.ranks { true } else { false } }
    let found = budgeted.compactMap { result -> (Result, Result)? in
      results.first {
        $0.goal.ranks == .named && $0.keyValueBytesAfter == result.keyValueBytesAfter
          && latent($0)?.ropeWidth == latent(result)?.ropeWidth
          && latent($0)?.ropeSlices == latent(result)?.ropeSlices
          && $0.goal.options == result.goal.options
      }.map { (result, $0) }
    }
    guard !found.isEmpty else { return nil }
    return "**A budget spread over the layers against equal ranks** of the same bytes: "
      + verdict(found, "the budget", "equal ranks") + "."
  }
}
