import ZooRecords

/// A row whose every field is set.
enum MadeUpRow {
  static let machine = ResultRow.Machine(
    cpu: "Example CPU", cores: 2, isa: "avx2", memoryBytes: 1 << 34, hugePages: "madvise",
    os: "Linux", swift: "6.3.1", openblas: "0.3.21", commit: "abc1234",
    date: "2026-01-31T12:00:00Z", readGBPerSecond: 20.1, peakGFLOPPerSecond: 100, stable: true)

  static func full(caseID: String = "0011223344556677") -> ResultRow {
    ResultRow(
      caseID: caseID, status: .ok, reason: "none", origin: .measured, scope: .step,
      suite: "default", variant: "mla:512+64@f16", noop: "nothing", geometry: geometry,
      context: 8192, batch: 2, lengths: [8192, 100], threads: 2, seed: .max,
      weights: .init(dtype: "bf16", source: "random", hash: "ff"),
      cache: .init(kind: .paged, pageSize: 16), filledBy: .synthetic,
      kv: .init(
        idealBytesPerToken: 18_432, idealBytes: 152_838_144, allocatedBytes: 152_850_000,
        metadataBytes: 2048, readBytesPerStep: 152_838_144),
      memory: .init(weightBytes: 1, workspaceBytes: 2, peakRSSBytes: 3),
      prefill: .init(tokens: 256, ttftMs: 812.25, tokensPerSecond: 315.2),
      decode: .init(
        steps: 3, itlMs: .init(mean: 0.1, p50: 0.1, p90: 0.3, p99: 0.4, max: 0.5),
        tokensPerSecond: 20, samplesMs: [0.1, 0.2, 1.0 / 3], round: "a", attentionMs: 1,
        appendMs: 2, absorbMs: 3, attentionFlops: 4, attentionIntensity: 5, stepFlops: 6,
        achievedGBPerSecond: 7, achievedGFLOPPerSecond: 8, rooflineMs: 9, rooflineFraction: 0.5,
        stepRooflineMs: 11, bound: .compute, mlaPath: "absorbed"),
      maxBatch: .init(
        budgetBytes: 1, fixedOverheadBytes: 2, computed: 3, measured: 4, limitedBy: "kv",
        tokensPerSecondAtMax: 5, rateOrigin: .predicted),
      fidelity: .init(
        kind: .trainingFree, reference: "mha", maxAbsError: 1, meanKL: 2, p99KL: 3,
        top1Agreement: 0.5, bitsPerByte: 1.5, natsPerToken: 2.5, referenceBitsPerByte: 1.25,
        bitsPerByteChange: .init(low: 0.1, high: 0.2), referenceNatsPerToken: 2.25,
        natsPerTokenChange: .init(low: 0.2, high: 0.3), segments: 64,
        stages: [.init(name: "rank", bitsPerByte: 1.5)]),
      machine: machine, command: "attnzoo bench --suite default")
  }

  static let geometry = ResultRow.Geometry(
    name: "llama-3.2-1b", layers: 16, hidden: 2048, queryHeads: 32, kvHeads: 8, headWidth: 64,
    mlp: 8192, vocabulary: 128_256, declaredVariant: "gqa:8")

  static func bare(caseID: String = "00", commit: String = "abc1234") -> ResultRow {
    var machine = machine
    machine.commit = commit
    machine.readGBPerSecond = nil
    machine.peakGFLOPPerSecond = nil
    machine.stable = nil
    var geometry = geometry
    geometry.declaredVariant = nil
    return ResultRow(
      caseID: caseID, status: .ok, scope: .attention, suite: "s", variant: "mha",
      geometry: geometry, context: 1, batch: 1, threads: 1, seed: 0, machine: machine,
      command: "attnzoo bench")
  }
}
