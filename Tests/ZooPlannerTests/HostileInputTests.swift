import AttentionCore
import Testing
import ZooModels
import ZooPlanner

@Suite("Sizes that mean nothing are refused, never a trap")
struct HostileInputTests {
  @Test("geometries", arguments: [Int.min, -1, 0, Int.max])
  func geometries(value: Int) throws {
    let fields: [WritableKeyPath<ModelGeometry, Int>] = [
      \.layers, \.hidden, \.queryHeads, \.keyValueHeads, \.headWidth, \.mlpWidth, \.vocabulary,
    ]
    for field in fields {
      for notation in ["mha", "mqa/cla:2", "mla:512+64", "mla:512+8x1"] {
        var geometry = ModelGeometry.tiny
        geometry[keyPath: field] = value
        let variant = try variant(notation)
        #expect(throws: PlannerError.self) { try KVPlan(geometry: geometry, variant: variant) }
        #expect(throws: PlannerError.self) { try WeightPlan(geometry: geometry, variant: variant) }
      }
    }
  }

  @Test("the largest sizes of every field at once overflow with a message")
  func largest() throws {
    let heads = 1 << 20
    let width = 1 << 31
    let geometry = ModelGeometry(
      name: "huge", layers: ModelGeometry.mostLayers, hidden: width, queryHeads: heads,
      keyValueHeads: heads,
      headWidth: width, mlpWidth: width, vocabulary: width, tiedEmbeddings: false, maxPositions: 1)
    for notation in ["mha@f32", "mla:65536+65536", "mla:65536+65536x4096"] {
      let variant = try variant(notation)
      #expect(throws: PlannerError.self) { try KVPlan(geometry: geometry, variant: variant) }
      #expect(throws: PlannerError.self) { try WeightPlan(geometry: geometry, variant: variant) }
    }
  }

  @Test("contexts and batches", arguments: [Int.min, -1, 1 << 41, Int.max])
  func contexts(value: Int) throws {
    let plan = try cachePlan("deepseek-v3")
    #expect(throws: PlannerError.self) { try plan.idealBytes(context: value) }
    #expect(throws: PlannerError.self) { try plan.readBytesPerStep(context: value) }
    #expect(throws: PlannerError.self) { try plan.attendFLOPs(context: value) }
    #expect(throws: PlannerError.self) { try RowParts(plan, context: value) }
    #expect(throws: PlannerError.self) {
      try smallMachine.roofline(attending: plan, context: value, sequences: 1)
    }
    #expect(throws: PlannerError.self) {
      try smallMachine.roofline(attending: plan, context: 1, sequences: value)
    }
  }

  @Test("sums past 64 bits")
  func sums() throws {
    let plan = try cachePlan("deepseek-v3")
    #expect(throws: PlannerError.overflow("attend FLOPs")) {
      try plan.attendFLOPs(context: 1 << 40)
    }
    #expect(throws: PlannerError.self) {
      try plan.footprint(CachePlan(sequences: Int.max, capacity: 8_192))
    }
    #expect(throws: PlannerError.self) {
      try plan.footprint(CachePlan(sequences: 1, capacity: Int.max))
    }
  }

  @Test("a variant without meaning on the geometry keeps its own message")
  func notation() throws {
    let error = #expect(throws: PlannerError.self) { try cachePlan("llama-3.2-1b", "gqa:5") }
    #expect(error?.description.contains("expected a divisor of 32") == true)
    #expect(throws: PlannerError.self) { try cachePlan("deepseek-v3", "mla:512+32") }
  }

  @Test("traits")
  func traits() throws {
    let variant = try variant("mha")
    for traits in [
      WeightTraits(normsPerLayer: -1), WeightTraits(queryRank: 0),
      WeightTraits(experts: ExpertTraits(count: 0, active: 0, width: 1)),
      WeightTraits(experts: ExpertTraits(count: 4, active: 5, width: 1)),
      WeightTraits(experts: ExpertTraits(count: 4, active: 1, width: Int.max)),
    ] {
      #expect(throws: PlannerError.self) {
        try WeightPlan(geometry: .tiny, variant: variant, traits: traits)
      }
    }
    #expect(throws: PlannerError.self) {
      try WeightPlan(geometry: .tiny, variant: variant, bitsPerParameter: 0)
    }
  }
}
