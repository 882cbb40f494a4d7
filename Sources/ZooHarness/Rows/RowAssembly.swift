import AttentionCore
import ZooLinearAlgebra
import ZooRecords

/// Makes the result rows of a run: the one place where measurements become fields.
struct RowAssembly: Sendable {
  let suite: Suite
  let facts: MachineFacts
  let threads: Int
  /// The weights that the step scope runs; nil: random ones.
  var modelWeights: ResultRow.Weights?

  /// The hash of everything that changes the result of a decode case.
  func caseID(_ bench: BenchCase) -> String {
    let limits = suite.limits(context: bench.context, batch: bench.batch)
    var extra = [
      "steps": "\(limits.steps)", "seconds": "\(limits.seconds)",
      "warm_up": "\(limits.warmUp)", "chunk": "\(BenchCase.chunk)",
    ]
    if let tokens = bench.prefillTokens {
      extra["prefill_tokens"] = "\(tokens)"
      extra["prefill_chunk"] = "\(FirstToken.chunk)"
    }
    return key(
      scope: bench.scope, variant: bench.variant, context: bench.context, batch: bench.batch,
      weights: bench.scope == .step ? modelWeights ?? randomWeights : nil, filledBy: .synthetic,
      extra: extra
    ).hash
  }

  /// A row of a decode case without measurements.
  func row(
    _ bench: BenchCase, status: RowStatus, reason: String? = nil, machine: ResultRow.Machine
  ) -> ResultRow {
    var row = base(
      caseID: caseID(bench), scope: bench.scope, variant: bench.variant, context: bench.context,
      batch: bench.batch, machine: machine, prefillTokens: bench.prefillTokens)
    row.status = status
    row.reason = reason.map(Self.oneLine)
    row.weights = bench.scope == .step ? modelWeights ?? randomWeights : nil
    row.filledBy = .synthetic
    row.kv = bench.bytes(suite.storage)
    return row
  }

  /// The blocks of decode steps that were timed under `roofs`.
  func decode(
    _ bench: BenchCase, times: [StepTimes], roofs: MachineRoofs, linear: LinearWork?,
    latentPath: String?, round: String?
  ) -> ResultRow.Decode {
    func milliseconds(_ value: (StepTimes) -> Int64) -> [Double] {
      times.map { Double(value($0)) / 1e6 }
    }
    let samples = milliseconds(\.total)
    let attention = Quantile.median(milliseconds(\.attention))
    let bytes = Double(bench.readBytes)
    let flops = bench.attendFLOPs
    let roofline = bench.roofline(roofs)
    var decode = ResultRow.Decode(steps: times.count)
    decode.itlMs = ResultRow.Latency(samples: samples)
    if let mean = decode.itlMs?.mean { decode.tokensPerSecond = Double(bench.batch) * 1e3 / mean }
    decode.samplesMs = samples
    decode.round = round
    decode.attentionMs = attention
    decode.appendMs = Quantile.median(milliseconds(\.append))
    decode.attentionFlops = flops
    decode.attentionIntensity = flops / bytes
    decode.achievedGBPerSecond = bytes / (attention * 1e6)
    decode.achievedGFLOPPerSecond = flops / (attention * 1e6)
    decode.rooflineMs = roofline.milliseconds
    decode.rooflineFraction = roofline.milliseconds / attention
    decode.bound = roofline.bound
    if let linear {
      let linearFLOPs = linear.flopsPerToken * Double(bench.batch)
      decode.stepFlops = flops + linearFLOPs
      decode.stepRooflineMs =
        roofline.milliseconds
        + roofs.milliseconds(bytes: Double(linear.bytes), flops: linearFLOPs)
      if let latentPath {
        decode.mlaPath = latentPath
        decode.absorbMs = Quantile.median(milliseconds(\.absorb))
      }
    }
    return decode
  }

  /// Remarks on a case that ran: what a reader must know beside the numbers.
  /// - Parameter prefillBytes: cache and scratch of the time to first token.
  func remarks(
    _ memory: ResultRow.Memory, kv: ResultRow.KV, prefillBytes: Int
  ) -> [String] {
    var remarks: [String] = []
    if let cache = ProcessMemory.lastLevelCache, let read = kv.readBytesPerStep,
      read + (memory.weightBytes ?? 0) < 2 * cache
    {
      remarks.append(
        "the step's working set of \(Quantity.text(bytes: read + (memory.weightBytes ?? 0))) is "
          + "not well past the last-level cache of \(Quantity.text(bytes: cache))")
    }
    let stated =
      (memory.weightBytes ?? 0) + (memory.workspaceBytes ?? 0) + (kv.allocatedBytes ?? 0)
      + prefillBytes
    if let peak = memory.peakRSSBytes, peak > stated + stated / 20 + 64 << 20 {
      remarks.append(
        "peak memory of \(Quantity.text(bytes: peak)) is more than 5 % + 64 MiB over weights, "
          + "cache and workspace of \(Quantity.text(bytes: stated))")
    }
    return remarks
  }

  /// A row with the fields that every scope has.
  func base(
    caseID: String, scope: RowScope, variant: Variant, context: Int, batch: Int,
    machine: ResultRow.Machine, geometry: ModelGeometry? = nil, prefillTokens: Int? = nil
  ) -> ResultRow {
    let geometry = geometry ?? suite.geometry
    return ResultRow(
      caseID: caseID, status: .ok, scope: scope, suite: suite.name, variant: variant.notation,
      noop: (try? variant.noop(for: geometry, context: context)) ?? nil,
      geometry: ResultRow.Geometry(geometry), context: context, batch: batch, threads: threads,
      seed: suite.seed, cache: ResultRow.Cache(suite.storage), machine: machine,
      command: RepeatCommand(suite: suite, threads: threads).text(
        scope: scope, variant: variant, context: context, batch: batch,
        prefillTokens: prefillTokens))
  }

  func key(
    scope: RowScope, variant: Variant, context: Int, batch: Int,
    weights: ResultRow.Weights?, filledBy: RowFilling?, geometry: ModelGeometry? = nil,
    extra: [String: String]
  ) -> CaseKey {
    CaseKey(
      scope: scope, variant: variant.notation,
      geometry: ResultRow.Geometry(geometry ?? suite.geometry), context: context, batch: batch,
      threads: threads, seed: suite.seed, weights: weights,
      cache: ResultRow.Cache(suite.storage), filledBy: filledBy, extra: extra)
  }

  var randomWeights: ResultRow.Weights {
    ResultRow.Weights(dtype: suite.weights.rawValue, source: "random")
  }

  static func oneLine(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).joined(separator: " ")
  }
}

/// The part of a step that has weights.
struct LinearWork: Sendable, Hashable {
  /// Bytes of the weights that a step reads.
  var bytes: Int
  /// FLOPs of one token.
  var flopsPerToken: Double
}

extension ResultRow.Geometry {
  /// A geometry as rows carry it.
  public init(_ geometry: ModelGeometry) {
    self.init(
      name: geometry.name, layers: geometry.layers, hidden: geometry.hidden,
      queryHeads: geometry.queryHeads, kvHeads: geometry.keyValueHeads,
      headWidth: geometry.headWidth, mlp: geometry.mlpWidth, vocabulary: geometry.vocabulary)
    if ownVariant != geometry.native { declaredVariant = geometry.native }
  }
}

extension ResultRow.Cache {
  /// A way of addressing as rows carry it.
  public init(_ storage: CacheStorage) {
    switch storage {
    case .contiguous: self.init(kind: .contiguous)
    case .ring: self.init(kind: .ring)
    case .paged(let pageTokens): self.init(kind: .paged, pageSize: pageTokens)
    }
  }
}
