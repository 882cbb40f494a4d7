import AttentionCore
import Foundation
import Synchronization
import ZooLinearAlgebra
import ZooMemory
import ZooModels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The child's side of the search for the largest batch: a process that limits its own memory and
/// then tries to run.
public enum MaxBatchChild {
  /// Name of the hidden subcommand that runs it; its one argument is the request.
  public static let subcommand = "max-batch-child"

  /// Exit code of a child that was refused memory.
  public static let outOfMemory: Int32 = 75

  /// Tokens of the prefill chunk that every child runs.
  static let chunk = 64
  /// Decode steps that a child runs; where time is short, only the first.
  static let steps = 3

  /// Heap kept free for small allocations, which the Swift runtime does not survive being refused.
  /// Everything large is mapped by `AlignedBuffer`, which throws; so it is mappings, never these,
  /// that meet the limit. `ChildProgram` sets the allocator up to keep what was freed.
  static let heapReserve = 16 << 20

  /// Limits this process to what the request says, allocates weights, cache and workspace, fills
  /// every row, runs a prefill chunk of one sequence and at least one decode step of all, and
  /// prints one line
  /// of JSON.
  /// - Returns: the exit code: 0, 75 where memory was refused, 70 for anything else, with a line on
  ///   standard error.
  public static func run(request text: String) -> Int32 {
    guard let request = ChildCoding.value(ChildRequest.self, from: text),
      let storage = request.storage, let format = WeightFormat(rawValue: request.weights)
    else { return fail("\(subcommand): expected a request of the max-batch command") }
    if let bytes = request.limitBytes, !limitData(to: bytes) {
      return fail("\(subcommand): RLIMIT_DATA could not be set to \(bytes) bytes")
    }
    do {
      let reply = try run(request, storage: storage, format: format)
      print(ChildCoding.text(reply))
      return 0
    } catch is OutOfMemory {
      return outOfMemory
    } catch CacheError.outOfMemory {
      return outOfMemory
    } catch {
      return fail("\(error)")
    }
  }

  private static func run(
    _ request: ChildRequest, storage: CacheStorage, format: WeightFormat
  ) throws -> ChildReply {
    let begin = MonotonicClock.nanoseconds()
    func elapsed() -> Double { Double(MonotonicClock.nanoseconds() - begin) / 1e9 }
    let pool = WorkerPool(threads: request.threads)
    reserveHeap()
    reserveLibraryBuffers(pool)
    let geometry = request.geometry.geometry
    let variant = try AxisRegistry.standard.variant(request.variant)
    let cache = try KVCache(
      layouts: try variant.layouts(for: geometry),
      plan: CachePlan(
        storage: storage, sequences: request.batch, capacity: request.context, maxChunk: chunk))
    let sequences = try cache.openAll()
    let model = try DecoderModel(
      randomWeights: geometry, variant: variant, format: format, seed: request.seed, pool: pool)
    let runner = try DecoderRunner(model: model, pool: pool)
    let tokens = (0..<max(chunk, request.batch)).map { Int32($0 % geometry.vocabulary) }
    _ = try runner.prefill(Array(tokens.prefix(chunk)), sequence: sequences[0], cache: cache)
    try fill(cache, sequences: sequences, to: request.context - steps, pool: pool)
    let batch = Array(tokens.prefix(request.batch))
    var times: [Double] = []
    var start = request.context - steps
    // The first step always runs: logits and scratch of all sequences must be had before a batch
    // counts. A later one takes about as long as the last.
    while times.count < steps, elapsed() + (times.last ?? 0) < request.seconds || times.isEmpty {
      let plan = BatchPlan(sequences.map { ($0, start, 1) })
      let from = MonotonicClock.nanoseconds()
      try runner.forward(tokens: batch, plan: plan, cache: cache)
      times.append(Double(MonotonicClock.nanoseconds() - from) / 1e9)
      start += 1
    }
    return ChildReply(
      weightBytes: model.weightBytes, cacheBytes: cache.allocatedBytes,
      metadataBytes: cache.metadataBytes, workspaceBytes: runner.workspaceBytes,
      dataBytes: ProcessMemory.data, stepSeconds: times)
  }

  private static func fill(
    _ cache: KVCache, sequences: [Int], to length: Int, pool: WorkerPool
  ) throws {
    // The rows go again before decoding: they are no part of what an engine holds.
    let rows = try SyntheticRows(layouts: cache.layouts, tokens: chunk, seed: 1)
    try rows.fill(cache, sequences: sequences, to: length, pool: pool)
  }

  private static func limitData(to bytes: Int) -> Bool {
    var limit = rlimit(rlim_cur: rlim_t(bytes), rlim_max: rlim_t(bytes))
    #if canImport(Glibc)
      return setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0
    #else
      return setrlimit(RLIMIT_DATA, &limit) == 0
    #endif
  }

  /// Takes small pieces from the heap and gives them back, so that it has grown by then.
  private static func reserveHeap() {
    let piece = 32 << 10
    let pieces = (0..<heapReserve / piece).compactMap { _ in malloc(piece) }
    for memory in pieces { memset(memory, 1, piece) }
    for memory in pieces { free(memory) }
  }

  /// Runs products on all threads at once, so that the linear algebra library's own buffers, for
  /// which it would ask forever, are there before memory is short. Each product takes longer than
  /// a busy system keeps a thread waiting, so that all overlap and each thread needs its buffer.
  private static func reserveLibraryBuffers(_ pool: WorkerPool) {
    OpenBLAS.setThreads(1)
    for _ in 0..<3 { multiplyTogether(pool) }
  }

  /// One product on every thread. No thread starts before all are there, so that each runs one and
  /// they overlap.
  private static func multiplyTogether(_ pool: WorkerPool) {
    let arrived = Atomic<Int>(0)
    let threads = pool.threads
    let size = 1_024
    pool.forEach(threads) { _, _ in
      let ones = [Float](repeating: 1, count: size * size)
      var product = [Float](repeating: 0, count: size * size)
      arrived.wrappingAdd(1, ordering: .sequentiallyConsistent)
      while arrived.load(ordering: .sequentiallyConsistent) < threads { sched_yield() }
      product.withUnsafeMutableBufferPointer { target in
        guard let base = target.baseAddress else { return }
        BLAS.gemm(
          rows: size, columns: size, inner: size, a: ones, aStride: size, b: ones, bStride: size,
          c: base, cStride: size)
      }
    }
  }

  private static func fail(_ message: String) -> Int32 {
    FileHandle.standardError.write(Data((RowAssembly.oneLine(message) + "\n").utf8))
    return 70
  }
}
