import AttentionCore
import Testing
import ZooLinearAlgebra
import ZooMemory
import ZooModels

@Suite("A checkpoint means here what it means to transformers")
struct TransformersLogitTests {
  @Test("there is a fixture for every architecture that is read")
  func complete() throws {
    let read = try TransformersFixture.all.map { try $0.folder().config.architecture }
    #expect(Set(read) == Set(HFArchitecture.known))
    let ropes = try TransformersFixture.all.map { try $0.folder().config.rope.type }
    #expect(Set(ropes) == Set(HFRope.knownTypes))
  }

  @Test(
    "the same logits: a prefill, then 64 steps across windows and scaled RoPE's first context",
    arguments: TransformersFixture.all)
  func logits(fixture: TransformersFixture) throws {
    let (tokens, prefill, expected) = try fixture.expected()
    #expect(prefill < 16 && tokens.count == prefill + 64)
    let actual = try ZooModelsTests.logits(fixture.model(), tokens, prefill: prefill)
    #expect(actual.count == expected.count)
    let largest = expected.reduce(0) { max($0, abs($1)) }
    #expect(largest > 2, "logits of another size would make the tolerance mean less")
    #expect(largestDifference(actual, expected) < 1e-4)
  }

  @Test(
    "one prefill, chunks and paged rows give the same logits",
    arguments: TransformersFixture.all.filter { $0.name != "llama-dynamic" })
  func chunks(fixture: TransformersFixture) throws {
    let (tokens, _, expected) = try fixture.expected()
    let model = try fixture.model()
    let whole = try ZooModelsTests.logits(model, tokens, prefill: tokens.count)
    #expect(largestDifference(whole, expected) < 1e-4)
    let chunks = try ZooModelsTests.logits(
      model, tokens, prefill: 7, step: 5, storage: .paged(pageTokens: 4))
    #expect(largestDifference(chunks, expected) < 1e-4)
  }

  @Test("read layer by layer, the model is the same", arguments: TransformersFixture.all)
  func layers(fixture: TransformersFixture) throws {
    let pool = WorkerPool(threads: 2)
    let source = try CheckpointLayers(
      folder: try fixture.folder(), name: fixture.name, format: .float32, pool: pool)
    let runner = try DecoderLayerRunner(pool: pool)
    let (tokens, _, expected) = try fixture.expected()
    let count = 11
    let width = source.geometry.hidden
    let hidden = try Matrix(rows: count, columns: width)
    let embedding = try source.embedding()
    tokens.withUnsafeBufferPointer {
      runner.embed(
        UnsafeBufferPointer(rebasing: $0[..<count]), table: embedding,
        settings: source.settings, to: hidden.mutableView)
    }
    let codec = try #require(AxisRegistry.standard.variant("mha@f32").uniform?.codec)
    let layouts = try source.variant.storing(codec).layouts(for: source.geometry)
    // Last to first and again: a layer is the same whenever it is read.
    for layout in layouts.reversed() { _ = try source.layer(layout.layer) }
    for layout in layouts {
      let cache = try KVCache(
        layouts: [layout], plan: CachePlan(sequences: 1, capacity: count, maxChunk: count))
      let sequence = try cache.addSequence()
      try cache.extend(sequence, by: count)
      try runner.run(
        try source.layer(layout.layer), settings: source.settings, hidden: hidden.mutableView,
        plan: BatchPlan([(sequence, 0, count)]), cache: cache.layer(0))
    }
    let head = try source.head() ?? Linear(weight: embedding)
    let logits = try runner.logits(
      hidden.view, finalNorm: try source.finalNorm(), head: head, settings: source.settings)
    let actual = (0..<count).flatMap { row in
      Array(UnsafeBufferPointer(start: logits.row(row), count: logits.columns))
    }
    #expect(largestDifference(actual, Array(expected.prefix(actual.count))) < 1e-4)
    let hash = try fixture.model().weightHash
    #expect(source.weightHash == hash)
  }

  @Test("every parameter of the files is in the model, once", arguments: TransformersFixture.all)
  func parameters(fixture: TransformersFixture) throws {
    let folder = try fixture.folder()
    let model = try fixture.model()
    #expect(model.parameters == folder.parameterCount)
    if folder.config.quantisation == nil {
      let elements = try folder.names.map { try folder.tensor(named: $0).elementCount }
      #expect(folder.parameterCount == elements.reduce(0, +))
    }
    let norms = model.layers.reduce(model.finalNorm.count) { $0 + $1.normParameters }
    #expect(model.weightBytes == 4 * model.parameters && norms > 0)
  }

  @Test("held as stored, weights take the bytes that they take in the file")
  func asStored() throws {
    for name in ["llama", "deepseek-v3-fp8", "gpt-oss-mxfp4"] {
      let model = try TransformersFixture(name: name).model(format: nil)
      // 8- and 4-bit floats become bfloat16.
      #expect(model.format == .bfloat16)
      #expect(model.weightBytes < 3 * model.parameters)
    }
    let (tokens, prefill, expected) = try TransformersFixture(name: "gpt-oss-mxfp4").expected()
    // 4-bit floats with their power of two lose nothing there.
    let exact = try ZooModelsTests.logits(
      TransformersFixture(name: "gpt-oss-mxfp4").model(format: nil), tokens, prefill: prefill)
    #expect(largestDifference(exact, expected) < 1e-4)
  }
}
