import ZooRecords

/// Made-up rows in the shape of a real suite: a noisy roofline of a CPU with a ridge of about 5.
enum SampleRows {
  struct Variant {
    let name: String
    let bytesPerToken: Double
    /// Attention FLOPs ÷ bytes read.
    let intensity: Double
    /// Layers that own a cache ÷ layers.
    var owners = 1.0
    var window: Int?
  }

  static let llama = ResultRow.Geometry(
    name: "llama-3.2-1b", layers: 16, hidden: 2048, queryHeads: 32, kvHeads: 8, headWidth: 64,
    mlp: 8192, vocabulary: 128_256)

  static let embedded = ResultRow.Geometry(
    name: "embedded", layers: 6, hidden: 256, queryHeads: 8, kvHeads: 8, headWidth: 32, mlp: 576,
    vocabulary: 256)

  static let variants: [Variant] = [
    Variant(name: "mha", bytesPerToken: 131_072, intensity: 1),
    Variant(name: "gqa:8", bytesPerToken: 32_768, intensity: 4),
    Variant(name: "mqa", bytesPerToken: 4_096, intensity: 32),
    Variant(name: "mla:512+64", bytesPerToken: 18_432, intensity: 60.4),
    Variant(name: "mla:256+32", bytesPerToken: 9_216, intensity: 60.4),
    Variant(name: "gqa:8/cla:2", bytesPerToken: 16_384, intensity: 4, owners: 0.5),
    Variant(name: "mqa/cla:2", bytesPerToken: 2_048, intensity: 32, owners: 0.5),
    Variant(name: "gqa:8/swa:1024", bytesPerToken: 32_768, intensity: 4, window: 1024),
    Variant(name: "mla:512+64/cla:2", bytesPerToken: 9_216, intensity: 60.4, owners: 0.5),
  ]

  static func machine(date: Int, commit: String = "abc1234", stable: Bool = true)
    -> ResultRow.Machine
  {
    let minute = date % 60 < 10 ? "0\(date % 60)" : "\(date % 60)"
    return ResultRow.Machine(
      cpu: "Example CPU 9000", cores: 2, isa: "avx2", memoryBytes: 24 << 30,
      hugePages: "madvise", os: "Linux 6.1", swift: "6.3.1", openblas: "0.3.21 Haswell",
      commit: commit, date: "2026-01-31T1\(date / 60 % 10):\(minute):00Z",
      readGBPerSecond: 20 + Double(date % 3) * 0.2, peakGFLOPPerSecond: 100, stable: stable)
  }

  /// Samples around a median with a fixed, uneven noise of some percent.
  static func samples(_ median: Double, count: Int = 24, salt: Int = 0) -> [Double] {
    (0..<count).map { index in
      let noise = Double((index * 37 + salt * 11) % 23 - 11) / 400
      return median * (1 + noise)
    }
  }

  static func attention(_ variant: Variant, context: Int, batch: Int, number: Int) -> ResultRow {
    let kept = min(context, variant.window ?? context)
    let ideal = Int(variant.bytesPerToken) * kept * batch
    let read = Double(ideal) / variant.owners
    let bandwidthMs = read / 20e9 * 1e3
    let computeMs = read * variant.intensity / 100e9 * 1e3
    let roofline = max(bandwidthMs, computeMs)
    let median = roofline * 1.5 + 0.05
    let samples = samples(median, salt: number)
    return ResultRow(
      caseID: CaseKey.hash("attention \(variant.name) \(context) \(batch)"), status: .ok,
      scope: .attention, suite: "default", variant: variant.name,
      noop: variant.window.flatMap {
        $0 >= context
          ? "the window of \($0) tokens covers the context of \(context)" : nil
      },
      geometry: llama, context: context, batch: batch, threads: 2, seed: 1,
      weights: .init(dtype: "f16", source: "random"),
      cache: .init(kind: variant.window == nil ? .contiguous : .ring), filledBy: .synthetic,
      kv: .init(
        idealBytesPerToken: variant.bytesPerToken * Double(kept) / Double(context),
        idealBytes: ideal, allocatedBytes: ideal, metadataBytes: 64 * batch,
        readBytesPerStep: Int(read)),
      decode: .init(
        steps: samples.count, itlMs: .init(samples: samples),
        tokensPerSecond: Double(batch) / median * 1e3, samplesMs: samples,
        round: "attention \(context) \(batch)", attentionMs: median * 0.97,
        appendMs: median * 0.01,
        absorbMs: variant.name.hasPrefix("mla") ? median * 0.02 : nil,
        attentionFlops: read * variant.intensity, attentionIntensity: variant.intensity,
        achievedGBPerSecond: read / median / 1e6,
        achievedGFLOPPerSecond: read * variant.intensity / median / 1e6, rooflineMs: roofline,
        rooflineFraction: roofline / (median * 0.97),
        bound: computeMs > bandwidthMs ? .compute : .bandwidth,
        mlaPath: variant.name.hasPrefix("mla") ? "absorbed" : nil),
      machine: machine(date: number),
      command:
        "attnzoo bench --scope attention --geometry llama-3.2-1b --variants \(variant.name) "
        + "--context \(context) --batch \(batch)")
  }

  static func step(_ variant: Variant, batch: Int, number: Int) -> ResultRow {
    var row = attention(variant, context: 8192, batch: batch, number: number)
    let median = 130 + (row.medianAttentionMs)
    row.caseID = CaseKey.hash("step \(variant.name) \(batch)")
    row.scope = .step
    row.command = row.command.replacingScope(with: "step")
    row.noop = nil
    row.decode = .init(
      steps: 24, itlMs: .init(samples: samples(median, salt: number)),
      tokensPerSecond: Double(batch) / median * 1e3, samplesMs: samples(median, salt: number),
      attentionMs: row.medianAttentionMs, appendMs: 0.1, stepFlops: 2e9,
      stepRooflineMs: 110 + row.medianAttentionMs * 0.6)
    if batch == 1 {
      row.prefill = .init(
        tokens: 256, ttftMs: 2000 + median, tokensPerSecond: 256 / (2 + median / 1e3))
    }
    return row
  }

  static func maxBatch(_ variant: Variant, context: Int, number: Int) -> ResultRow {
    var row = attention(variant, context: context, batch: 1, number: number)
    let perSequence = row.kv?.allocatedBytes ?? 1
    let computed = (4 << 30) / perSequence
    row.caseID = CaseKey.hash("max \(variant.name) \(context)")
    row.scope = .maxBatch
    row.noop = nil
    row.command = "attnzoo max-batch --variants \(variant.name) --context \(context)"
    row.decode = nil
    row.maxBatch = .init(
      budgetBytes: (4 << 30) + 2_471_645_184, fixedOverheadBytes: 18 << 20, computed: computed,
      measured: computed, limitedBy: "kv",
      tokensPerSecondAtMax: Double(computed)
        / (0.13 + Double(computed * perSequence) / variant.owners * 1.2 / 20e9
          * max(1, variant.intensity / 5)),
      rateOrigin: computed > 500 ? .predicted : .measured)
    return row
  }

  static func fidelity(_ name: String, bytes: Double, bits: Double, number: Int) -> ResultRow {
    ResultRow(
      caseID: CaseKey.hash("fidelity \(name)"), status: .ok, scope: .fidelity, suite: "default",
      variant: name, geometry: embedded, context: 1024, batch: 1, threads: 2, seed: 1,
      weights: .init(dtype: "bf16", source: "embedded", hash: "0123abcd"),
      cache: .init(kind: .contiguous), filledBy: .prefill,
      kv: .init(idealBytesPerToken: bytes),
      fidelity: .init(
        kind: .trainingFree, reference: "embedded mha", meanKL: name == "mha" ? nil : bits - 1.3,
        p99KL: name == "mha" ? nil : 8 * (bits - 1.3), top1Agreement: 1.3 / bits,
        bitsPerByte: bits, referenceBitsPerByte: 1.3,
        bitsPerByteChange: .init(low: bits - 1.31, high: bits - 1.29), segments: 64,
        stages: name.hasPrefix("mla")
          ? [
            .init(name: "RoPE split", bitsPerByte: bits - 0.1),
            .init(name: "rank", bitsPerByte: bits),
          ] : nil),
      machine: machine(date: number), command: "attnzoo eval --variants \(name)")
  }

  /// All of it, with a case that does not fit, one that failed, and one unstable row.
  static var all: [ResultRow] {
    var rows: [ResultRow] = []
    for context in [1024, 8192, 32_768] {
      for batch in [1, 4] {
        for variant in variants {
          rows.append(attention(variant, context: context, batch: batch, number: rows.count))
        }
      }
    }
    for batch in [1, 4] {
      for variant in variants { rows.append(step(variant, batch: batch, number: rows.count)) }
    }
    for context in [8192, 32_768] {
      for variant in variants {
        rows.append(maxBatch(variant, context: context, number: rows.count))
      }
    }
    let quality: [(String, Double, Double)] = [
      ("mha", 6144, 1.3), ("gqa:4", 3072, 1.62), ("gqa:2", 1536, 2.21), ("mqa", 768, 2.9),
      ("mla:128+16", 1728, 1.45), ("mla:64+16", 960, 1.97), ("mha/cla:2", 3072, 2.75),
      ("mha/swa:256", 1536, 1.34),
    ]
    for (name, bytes, bits) in quality {
      rows.append(fidelity(name, bytes: bytes, bits: bits, number: rows.count))
    }
    var tooLarge = attention(variants[0], context: 131_072, batch: 4, number: rows.count)
    tooLarge.status = .doesNotFit
    tooLarge.reason = "64.0 GiB of cache pass 80 % of 24.0 GiB"
    tooLarge.decode = nil
    rows.append(tooLarge)
    var failed = attention(variants[4], context: 8192, batch: 16, number: rows.count)
    failed.status = .failed
    failed.reason = "the child ended with signal 11 | see its log"
    failed.decode = nil
    failed.kv = nil
    rows.append(failed)
    if let place = rows.firstIndex(where: { $0.variant == "gqa:8" && $0.context == 8192 }) {
      rows[place].machine.stable = false
    }
    return rows
  }

  /// The rows in another order, the same at every run.
  static func shuffled(_ rows: [ResultRow], step: Int) -> [ResultRow] {
    let order = rows.indices.sorted { left, right in
      let keys = ((left * step + 5) % 211, (right * step + 5) % 211)
      return keys.0 == keys.1 ? left < right : keys.0 < keys.1
    }
    return order.map { rows[$0] }
  }
}

extension ResultRow {
  fileprivate var medianAttentionMs: Double { decode?.itlMs?.p50 ?? 0 }
}

extension String {
  fileprivate func replacingScope(with scope: String) -> String {
    replacing("--scope attention", with: "--scope \(scope)")
  }
}
