import AttentionCore
import AttentionZoo
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooModels

/// Converts a model layer by layer and says what that lost, for one goal or many side by side.
public struct ConversionRunner {
  /// What to convert to.
  public struct Goal: Sendable {
    public var target: Variant
    public var ranks: RankRule
    public var options: ConversionOptions

    public init(
      target: Variant, ranks: RankRule = .named, options: ConversionOptions = ConversionOptions()
    ) {
      self.target = target
      self.ranks = ranks
      self.options = options
    }
  }

  /// What became of one goal.
  public struct Result: Sendable {
    public var goal: Goal
    /// The variant that came out, a list where ranks differ.
    public var variant: Variant
    public var layers: [LayerLosses]
    /// Nil without evaluation tokens.
    public var original: ModelLoss?
    public var split: ModelLoss?
    public var reduced: ModelLoss?
    /// Cached bytes a token of all layers, in the codecs of source and target.
    public var keyValueBytesBefore: Int
    public var keyValueBytesAfter: Int
  }

  public let source: any LayerSource
  /// Nil: nothing is calibrated and nothing measured.
  public let tokens: ConversionTokens?
  public let pool: WorkerPool
  /// Told what is being done.
  public var progress: (String) -> Void = { _ in }
  /// Asked between segments of tokens.
  public var stopped: () -> Bool = { false }

  public init(source: any LayerSource, tokens: ConversionTokens?, pool: WorkerPool) {
    self.source = source
    self.tokens = tokens
    self.pool = pool
  }

  /// The variant of a goal whose ranks follow a rule: reads the whole model once.
  /// - Throws: `NotationError`, `ConversionError`, what the source throws, `ConversionStopped`.
  public func variant(of goal: Goal) throws -> Variant {
    if goal.ranks == .named { return goal.target }
    return try RankPlan(target: goal.target, geometry: source.geometry)
      .variant(goal.ranks, spectra: try spectra(of: goal))
  }

  private func spectra(of goal: Goal) throws -> [[Double]?] {
    let conversion = try LayerwiseConversion(
      source: source,
      goals: [.init(target: goal.target, options: goal.options, measuresSplit: false)],
      calibration: tokens?.calibration ?? [], evaluation: [], pool: pool)
    let layers = source.geometry.layers
    return try conversion.spectra(stopped: stopped) {
      progress("spectra: layer \($0 + 1) of \(layers)")
    }
  }

  /// Converts and measures.
  /// - Parameters:
  ///   - goals: side by side; the layers are read once for all. A split that an earlier goal measures
  ///     already is not measured again.
  ///   - body: given a layer's index and its form under every goal, before the next layer is read.
  /// - Throws: as ``variant(of:)``; `CacheError`, `OutOfMemory`, what `body` throws.
  public func run(
    _ goals: [Goal],
    _ body: (_ layer: Int, _ layers: [DecoderLayer], _ losses: [LayerLosses]) throws -> Void = {
      _, _, _ in
    }
  ) throws -> [Result] {
    // Energies depend on the split alone: goals that differ in their ranks share them.
    var energies: [String: [[Double]?]] = [:]
    let variants = try goals.map { goal -> Variant in
      if goal.ranks == .named { return goal.target }
      let key = Self.split(goal, goal.target)
      let spectra = try energies[key] ?? spectra(of: goal)
      energies[key] = spectra
      return try RankPlan(target: goal.target, geometry: source.geometry)
        .variant(goal.ranks, spectra: spectra)
    }
    let splits = goals.indices.map { index in
      let own = Self.split(goals[index], variants[index])
      return goals.indices.first { Self.split(goals[$0], variants[$0]) == own } ?? index
    }
    let conversion = try LayerwiseConversion(
      source: source,
      goals: goals.indices.map {
        .init(
          target: variants[$0], options: goals[$0].options, measuresSplit: splits[$0] == $0)
      }, calibration: tokens?.calibration ?? [], evaluation: tokens?.evaluation ?? [], pool: pool)
    var losses: [[LayerLosses]] = goals.map { _ in [] }
    let count = source.geometry.layers
    progress("layer 1 of \(count)")
    try conversion.run(stopped: stopped) { index, outcomes in
      for (goal, outcome) in outcomes.enumerated() { losses[goal].append(outcome.losses) }
      try body(index, outcomes.map(\.layer), outcomes.map(\.losses))
      progress(index + 1 < count ? "layer \(index + 2) of \(count)" : "whole model")
    }
    let scores = try tokens.flatMap {
      try ConversionScorer(conversion: conversion, tokens: $0).losses(stopped: stopped)
    }
    return goals.indices.map { index in
      var layers = losses[index]
      for layer in layers.indices where splits[index] != index {
        layers[layer].splitOutputError = losses[splits[index]][layer].splitOutputError
        layers[layer].splitHiddenError = losses[splits[index]][layer].splitHiddenError
      }
      return Result(
        goal: goals[index], variant: variants[index], layers: layers, original: scores?.original,
        split: scores?.goals[splits[index]].split, reduced: scores?.goals[index].reduced,
        keyValueBytesBefore: layers.reduce(0) { $0 + $1.keyValueBytesBefore },
        keyValueBytesAfter: layers.reduce(0) { $0 + $1.keyValueBytesAfter })
    }
  }

  /// What the RoPE split of a goal depends on: equal for goals that differ in ranks only.
  private static func split(_ goal: Goal, _ variant: Variant) -> String {
    let options = goal.options
    var shape: String?
    if let spec = goal.target.uniform, let heads = spec.heads as? MultiHeadLatent {
      shape = [
        "\(heads.ropeWidth)x\(heads.ropeSlices)", spec.sharing?.notation, spec.reach?.notation,
        spec.sinks?.notation,
      ].compactMap { $0 }.joined(separator: "/")
    }
    return [
      shape ?? variant.notation, options.method.rawValue, "\(options.damping)",
      options.fold.map { "\($0)" } ?? "measured", options.frequencies?.rawValue ?? "auto",
    ].joined(separator: " ")
  }
}
