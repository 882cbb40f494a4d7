import AttentionCore
import Testing
import ZooModels
import ZooPlanner

@Suite("Roofline and latency")
struct RooflineTests {
  @Test("attention FLOPs a byte at decode, 2-byte elements: MHA 1, GQA N/K, MQA N")
  func groupedIntensity() throws {
    for (notation, intensity) in [("mha", 1.0), ("gqa:8", 4), ("gqa:4", 8), ("mqa", 32)] {
      for context in [1, 1_000, 32_768] {
        #expect(
          try cachePlan("llama-3.2-1b", notation).intensity(context: context) == intensity)
      }
    }
    #expect(try cachePlan("llama-3.2-1b", "mha@f32").intensity(context: 10) == 0.5)
    #expect(try cachePlan("llama-3.2-1b", "gqa:8/cla:2").intensity(context: 10) == 4)
    #expect(try cachePlan("llama-3.2-1b").intensity(context: 0) == nil)
  }

  @Test("MLA: N(2r + d_r) / (r + d_r), about 2N")
  func latentIntensity() throws {
    let intensity = try #require(try cachePlan("deepseek-v3").intensity(context: 4_096))
    #expect(abs(intensity - 128.0 * 1_088 / 576) < 1e-9)
    #expect(intensity > 1.85 * 128 && intensity < 2 * 128)
  }

  @Test("absorbed MLA attends with 2·S·N(2r + d_r) FLOPs a layer")
  func absorbedFLOPs() throws {
    let flops = try cachePlan("deepseek-v3").attendFLOPs(context: 1_000)
    #expect(flops == 61 * 2 * 1_000 * 128 * (2 * 512 + 64))
  }

  @Test("MHA: 4·S·N·H FLOPs a layer")
  func groupedFLOPs() throws {
    #expect(
      try cachePlan("llama-2-7b").attendFLOPs(context: 777) == 32 * 4 * 777 * 32 * 128)
  }

  @Test("the ridge decides: MLA is bound by bandwidth on an H100 and by arithmetic on a CPU")
  func ridge() throws {
    let plan = try cachePlan("deepseek-v3")
    let h100 = try DeviceTable.device(named: "h100-sxm")
    #expect(abs(try #require(h100.ridge) - 295.2) < 0.1)
    #expect(
      try h100.roofline(attending: plan, context: 8_192, sequences: 4).bound == .bandwidth)
    #expect(smallMachine.ridge == 5)
    #expect(
      try smallMachine.roofline(attending: plan, context: 8_192, sequences: 4).bound == .compute)
    let heads = try cachePlan("llama-2-7b")
    #expect(
      try smallMachine.roofline(attending: heads, context: 100, sequences: 1).bound == .bandwidth)
  }

  @Test("B·KV ÷ bandwidth is wrong by more than ten times where arithmetic binds")
  func shortcut() throws {
    let plan = try cachePlan("llama-3.2-1b", "mla:512+64")
    let roofline = try smallMachine.roofline(attending: plan, context: 8_192, sequences: 2)
    let shortcut = 2 * Double(try plan.readBytesPerStep(context: 8_192)) / 50e9
    #expect(roofline.seconds / shortcut > 10)
    #expect(abs(roofline.seconds - roofline.flops / 250e9) < 1e-12)
  }

  @Test("layers bind one by one: a sum of maxima")
  func mixedLayers() throws {
    let plan = try cachePlan("tiny", "[mha*3,mla:16+8*3]")
    let device = Device(
      measured: "ridge 2", memoryBytes: 1, readBytesPerSecond: 1, peakFLOPsPerSecond: 2)
    let roofline = try device.roofline(attending: plan, context: 10, sequences: 1)
    let bytes = 3.0 * 2 * 4 * 16 * 2 * 10
    let flops = 3.0 * 2 * 4 * (24 + 16) * 10
    #expect(abs(roofline.seconds - (bytes + flops / 2)) < 1e-9)
  }

  @Test("ragged contexts add up; half the efficiency doubles what arithmetic binds")
  func raggedAndEfficiency() throws {
    let plan = try cachePlan("llama-3.2-1b", "mla:512+64")
    let even = try smallMachine.roofline(attending: plan, context: 100, sequences: 3)
    let listed = try smallMachine.roofline(attending: plan, contexts: [50, 100, 150])
    #expect(abs(even.seconds / listed.seconds - 1) < 1e-12)
    let half = try smallMachine.roofline(
      attending: plan, context: 100, sequences: 3, efficiency: 0.5)
    #expect(abs(half.seconds / even.seconds - 2) < 1e-12)
  }

  @Test("a memory-bound step takes bytes ÷ bandwidth and yields B ÷ latency tokens a second")
  func step() throws {
    let h100 = try DeviceTable.device(named: "H100 SXM")
    let weights = try weightPlan("llama-3.1-8b")
    let plan = try LatencyPlan(
      device: h100, cache: cachePlan("llama-3.1-8b"), weights: weights)
    let step = try plan.step(context: 8_192, sequences: 16)
    let read = Double(weights.bytes - 2 * weights.embedding) + 16 * Double(1 << 30)
    #expect(step.linear.bound == .bandwidth && step.attention.bound == .bandwidth)
    #expect(abs(step.seconds / (read / 3350e9) - 1) < 1e-9)
    #expect(abs(step.tokensPerSecond - 16 / step.seconds) < 1e-6)
    // One weight element of two bytes is used by B tokens: an intensity of B.
    #expect(abs(try plan.linear(sequences: 16).intensity - 16) < 0.01)
    #expect(try plan.linear(sequences: 296).bound == .compute)
    #expect(try plan.linear(sequences: 295).bound == .bandwidth)
  }

  @Test("devices are found by name; those without a published rate say so")
  func devices() throws {
    #expect(DeviceTable.all.count == 17)
    #expect(try DeviceTable.device(named: "a100-80gb sxm").memoryBytes == 80 << 30)
    let error = #expect(throws: PlannerError.self) {
      try DeviceTable.device(named: "h300")
    }
    #expect(error?.description.contains("H100 SXM") == true)
    let cpu = try DeviceTable.device(named: "AMD EPYC 9654 2-socket")
    let missing = #expect(throws: PlannerError.self) {
      try cpu.roofline(attending: cachePlan("tiny"), context: 1, sequences: 1)
    }
    #expect(missing == .missingPeak(device: cpu.name))
  }

  @Test(
    "rates and efficiencies that mean nothing are refused", arguments: [0, -1, .nan, .infinity])
  func badRates(rate: Double) throws {
    let cache = try cachePlan("tiny")
    let bandwidth = Device(
      measured: "bad", memoryBytes: 1, readBytesPerSecond: rate, peakFLOPsPerSecond: 1)
    let peak = Device(
      measured: "bad", memoryBytes: 1, readBytesPerSecond: 1, peakFLOPsPerSecond: rate)
    for device in [bandwidth, peak] {
      #expect(throws: PlannerError.self) {
        try device.roofline(attending: cache, context: 1, sequences: 1)
      }
    }
    #expect(throws: PlannerError.self) {
      try smallMachine.roofline(attending: cache, context: 1, sequences: 1, efficiency: rate)
    }
  }
}
