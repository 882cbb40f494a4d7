import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// Converts a model to one variant or several at a time, reading it layer by layer: a layer is read,
/// its calibration tokens are looked at, it is converted, its losses are measured and it is handed
/// on, before the next is read. It needs memory for one layer in all its forms, the calibration
/// statistics of one layer, and the hidden states of the calibration and the evaluation tokens.
public final class LayerwiseConversion {
  /// One variant to convert to.
  public struct Goal: Sendable {
    public var target: Variant
    public var options: ConversionOptions
    /// Whether the model is followed with the RoPE split alone, too.
    public var measuresSplit: Bool

    public init(target: Variant, options: ConversionOptions, measuresSplit: Bool = true) {
      self.target = target
      self.options = options
      self.measuresSplit = measuresSplit
    }
  }

  /// What became of one layer under one goal.
  public struct Outcome: Sendable {
    /// The layer with its new attention.
    public let layer: DecoderLayer
    public let losses: LayerLosses
  }

  /// Hidden states of the evaluation tokens.
  public struct Streams {
    public let reduced: HiddenStream
    /// With the RoPE split alone; nil where it is not measured or there is none.
    public let split: HiddenStream?
  }

  public let source: any LayerSource
  public let goals: [Goal]
  /// Hidden states of the evaluation tokens through the source; nil without evaluation tokens.
  public let original: HiddenStream?
  /// Of every goal; nil without evaluation tokens.
  public private(set) var streams: [Streams?]
  public let runner: DecoderLayerRunner
  private let pool: WorkerPool
  private let calibration: HiddenStream?
  private let sourceLayouts: [KVLayout]
  private var subjects: [ConversionSubject]
  private let meter: AttentionMeter
  /// What the fold of a shared split was measured to be in the present layer.
  private var folds: [ConversionSubject.SplitKey: Int] = [:]

  /// Segments of the calibration tokens that attention's results are compared on.
  static let comparedSegments = 2

  /// - Parameters:
  ///   - calibration: token ids, one list a segment; may be empty for conversions that need none.
  ///   - evaluation: token ids that the whole model's loss is measured on; may be empty.
  /// - Throws: `NotationError`, `ConversionError`, `TokenError`, `OutOfMemory`, what the source
  ///   throws.
  public init(
    source: any LayerSource, goals: [Goal], calibration: [[Int32]], evaluation: [[Int32]],
    pool: WorkerPool
  ) throws {
    self.source = source
    self.goals = goals
    self.pool = pool
    runner = try DecoderLayerRunner(pool: pool)
    meter = try AttentionMeter(pool: pool)
    sourceLayouts = source.layouts.map(\.inFloat32)
    let compared = calibration.prefix(Self.comparedSegments).map(\.count)
    subjects = try goals.map {
      try ConversionSubject($0, source: source, compared: compared, pool: pool)
    }
    let table = try source.embedding()
    let (settings, runner) = (source.settings, runner)
    func stream(_ tokens: [[Int32]]) throws -> HiddenStream {
      try HiddenStream(tokens: tokens, table: table, settings: settings, runner: runner)
    }
    self.calibration = calibration.isEmpty ? nil : try stream(calibration)
    original = evaluation.isEmpty ? nil : try stream(evaluation)
    streams = try subjects.map { subject in
      if evaluation.isEmpty { return nil }
      return Streams(
        reduced: try stream(evaluation),
        split: subject.followsSplit ? try stream(evaluation) : nil)
    }
  }

  /// Converts all layers in their order.
  /// - Parameters:
  ///   - stopped: asked between segments.
  ///   - body: given the layer's index and what became of it under every goal; the layer is dropped
  ///     when it returns.
  /// - Throws: as the initialiser; `CacheError`; `ConversionStopped`.
  public func run(
    stopped: () -> Bool = { false }, _ body: (_ layer: Int, _ outcomes: [Outcome]) throws -> Void
  ) throws {
    for index in 0..<source.geometry.layers {
      let layer = try source.layer(index)
      let moments = try look(at: layer, index: index, stopped: stopped)
      var outcomes: [Outcome] = []
      for goal in goals.indices {
        if stopped() { throw ConversionStopped() }
        outcomes.append(
          try convert(layer, index: index, goal: goal, moments: moments, stopped: stopped))
      }
      let last = index + 1 == source.geometry.layers
      // Nothing looks at the calibration tokens after the last layer's attention.
      if !last { try advance(calibration, layer, index, stopped) }
      try advance(original, layer, index, stopped)
      for goal in goals.indices {
        outcomes[goal] = Outcome(
          layer: outcomes[goal].layer,
          losses: try follow(goal: goal, outcomes[goal].losses))
      }
      try body(index, outcomes)
    }
  }

  private func advance(
    _ stream: HiddenStream?, _ layer: DecoderLayer, _ index: Int, _ stopped: () -> Bool
  ) throws {
    let layout = sourceLayouts[index]
    try stream?.advance(
      layer, layout: layout, readers: sourceLayouts.readers(of: layout), stopped: stopped)
  }

  /// The moments of a layer's keys and values, where any goal needs them; the meter is made ready.
  private func look(
    at layer: DecoderLayer, index: Int, stopped: () -> Bool
  ) throws -> ProjectionMoments? {
    guard let calibration else { return nil }
    let wanted = subjects.contains { $0.needsMoments(layer: index) }
    let accumulator =
      wanted
      ? try (layer.attention as? MultiHeadAttention).flatMap {
        $0.layout.ownsRows
          ? try MomentAccumulator(
            $0, scoresPairs: subjects.contains { $0.scoresPairs(layer: index) }, pool: pool) : nil
      } : nil
    var compared: [Matrix] = []
    for segment in calibration.segments.indices {
      if stopped() { throw ConversionStopped() }
      if accumulator == nil, segment >= Self.comparedSegments { break }
      let input = try calibration.normalised(segment: segment, weight: layer.attentionNorm)
      try accumulator?.add(input.view)
      if segment < Self.comparedSegments { compared.append(input) }
    }
    if (layer.attention as? MultiHeadAttention)?.layout.ownsRows == true {
      try meter.begin(layer.attention, inputs: compared)
    }
    return accumulator?.moments()
  }

  private func convert(
    _ layer: DecoderLayer, index: Int, goal: Int, moments: ProjectionMoments?,
    stopped: () -> Bool
  ) throws -> Outcome {
    let subject = subjects[goal]
    if goal == 0 { folds = [:] }
    let split = subject.splitKey(layer: index)
    // Goals that differ in their rank alone measure the fold once.
    subjects[goal].converter.measuredFold = split.flatMap { folds[$0] }
    let conversion = try OpenBLAS.withThreads(pool.threads) { () throws -> LayerConversion in
      try subjects[goal].converter.convert(
        layer.attention, layer: index, moments: moments, measuresSplit: subject.followsSplit,
        measure: calibration == nil ? nil : { try self.measured($0) })
    }
    if let split, let factors = conversion.factors { folds[split] = factors.fold }
    var losses = LayerLosses(layer: index, factors: conversion.factors)
    losses.keyValueBytesBefore = source.layouts[index].idealBytesPerToken
    losses.keyValueBytesAfter = subject.targetLayouts[index].idealBytesPerToken
    losses.parametersBefore = layer.attention.parameters
    losses.parametersAfter = conversion.attention.parameters
    if calibration != nil {
      losses.outputError = try subjects[goal].measure(conversion.attention, meter)
      losses.splitOutputError = try conversion.split.map {
        try subjects[goal].measureSplit($0, meter)
      }
    }
    var converted = layer
    converted.attention = conversion.attention
    if let streams = streams[goal] {
      try subject.advance(streams.reduced, converted, stopped)
      if let split = streams.split {
        var halfway = layer
        halfway.attention = conversion.split ?? conversion.attention
        try subject.advance(split, halfway, stopped)
      }
    }
    return Outcome(layer: converted, losses: losses)
  }

  /// The relative error of a candidate for a layer's RoPE split. Attention's own products set
  /// OpenBLAS to one thread; the factorisation goes on with all.
  private func measured(_ candidate: LatentAttention) throws -> Double {
    defer { OpenBLAS.setThreads(pool.threads) }
    return try meter.error(of: candidate)
  }

  private func follow(goal: Int, _ losses: LayerLosses) throws -> LayerLosses {
    guard let original, let streams = streams[goal] else { return losses }
    var result = losses
    result.hiddenError = streams.reduced.relativeError(from: original)
    result.splitHiddenError = streams.split?.relativeError(from: original)
    return result
  }

  /// Energy along the directions of every layer's latent under the first goal, most first; nil for
  /// layers that own no latent rows. Reads the whole model once; nothing is measured or kept.
  /// - Throws: as `run`.
  public func spectra(
    stopped: () -> Bool = { false }, progress: (_ layer: Int) -> Void = { _ in }
  ) throws -> [[Double]?] {
    try (0..<source.geometry.layers).map { index in
      progress(index)
      let layer = try source.layer(index)
      let moments = try look(at: layer, index: index, stopped: stopped)
      var spectrum: [Double]?
      let layout = subjects[0].converter.layouts[index]
      if layout.ownsRows, layout.shape.valueIsKeyPrefix {
        spectrum = try OpenBLAS.withThreads(pool.threads) { () throws -> [Double] in
          try subjects[0].converter.spectrum(
            layer.attention, layer: index, moments: moments,
            measure: calibration == nil ? nil : { try self.measured($0) })
        }
      }
      if index + 1 < source.geometry.layers { try advance(calibration, layer, index, stopped) }
      return spectrum
    }
  }
}
