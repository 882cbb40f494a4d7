import Synchronization
import Testing
import ZooMemory

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

@Suite struct WorkerPoolTests {
  @Test("Every part runs exactly once, on a worker of the pool", arguments: [1, 2, 3, 5])
  func everyPartOnce(threads: Int) {
    let pool = WorkerPool(threads: threads)
    for count in [0, 1, 2, 3, 7, 64, 1000] {
      let runs = UnsafeMutablePointer<Int32>.allocate(capacity: count + 1)
      runs.initialize(repeating: 0, count: count + 1)
      defer { runs.deallocate() }
      let strangers = Atomic<Int>(0)
      pool.forEach(count) { part, worker in
        runs[part] += 1  // Each part has its own counter, so only a repeat could race.
        if worker < 0 || worker >= threads { strangers.wrappingAdd(1, ordering: .relaxed) }
      }
      #expect((0..<count).allSatisfy { runs[$0] == 1 })
      #expect(runs[count] == 0)
      #expect(strangers.load(ordering: .relaxed) == 0)
    }
  }

  @Test("Many quick jobs in a row neither lose a part nor hang", arguments: [1, 2, 4])
  func manyQuickJobs(threads: Int) {
    let pool = WorkerPool(threads: threads)
    let total = Atomic<Int>(0)
    let jobs = 20_000
    for job in 0..<jobs {
      pool.forEach(1 + job % 5) { part, _ in total.wrappingAdd(part + 1, ordering: .relaxed) }
    }
    let expected = (0..<jobs).reduce(0) { $0 + (1...(1 + $1 % 5)).reduce(0, +) }
    #expect(total.load(ordering: .relaxed) == expected)
  }

  @Test("A job sees what the caller wrote, and the caller what the job wrote")
  func memoryIsVisible() {
    let pool = WorkerPool(threads: 2)
    var values = [Int](repeating: 0, count: 16)
    for round in 1...20_000 {
      values.withUnsafeMutableBufferPointer { buffer in
        guard let base = buffer.baseAddress else { return }
        base[0] = round
        pool.forEach(15) { part, _ in base[part + 1] = base[0] + part }
      }
      for part in 0..<15 where values[part + 1] != round + part {
        Issue.record("round \(round), part \(part)")
        return
      }
    }
  }

  @Test("The context reaches a hot-path body unchanged")
  func contextIsPassed() {
    let pool = WorkerPool(threads: 2)
    var sums = [Int](repeating: 0, count: 10)
    sums.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      pool.run(count: 10, context: base) { context, part, _ in
        context.assumingMemoryBound(to: Int.self)[part] = part * part
      }
    }
    #expect(sums == (0..<10).map { $0 * $0 })
  }

  @Test("One thread runs the parts in order on the caller")
  func oneThread() {
    let pool = WorkerPool(threads: 1)
    let caller = pthread_self()
    var order: [Int] = []
    withUnsafeMutablePointer(to: &order) { order in
      pool.forEach(5) { part, worker in
        #expect(pthread_equal(pthread_self(), caller) != 0)
        #expect(worker == 0)
        order.pointee.append(part)
      }
    }
    #expect(order == [0, 1, 2, 3, 4])
  }

  /// Two parts that each wait for the other to start: done only if two threads work.
  private func meet(_ pool: WorkerPool) {
    let arrived = Atomic<Int>(0)
    pool.forEach(2) { _, _ in
      arrived.wrappingAdd(1, ordering: .sequentiallyConsistent)
      while arrived.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
    }
    #expect(arrived.load(ordering: .relaxed) == 2)
  }

  @Test("Sleeping workers wake for the next job", .timeLimit(.minutes(1)))
  func sleepersWake() {
    let pool = WorkerPool(threads: 2)
    for pause: UInt32 in [0, 10, 100, 1_000, 20_000, 100, 1_000, 20_000] {
      usleep(pause)  // The spin lasts well under 20 ms.
      meet(pool)
    }
  }

  #if os(Linux)
    @Test("Idle workers sleep rather than burn a processor")
    func idleWorkersSleep() {
      let pool = WorkerPool(threads: 2)
      var clocks = [clockid_t](repeating: 0, count: 2)
      let arrived = Atomic<Int>(0)
      clocks.withUnsafeMutableBufferPointer { clocks in
        guard let clocks = clocks.baseAddress else { return }
        pool.forEach(2) { _, worker in
          pthread_getcpuclockid(pthread_self(), clocks + worker)
          arrived.wrappingAdd(1, ordering: .sequentiallyConsistent)
          while arrived.load(ordering: .sequentiallyConsistent) < 2 { sched_yield() }
        }
      }
      func processorSeconds() -> Double {
        var time = timespec()
        clock_gettime(clocks[1], &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
      }
      usleep(50_000)
      let before = processorSeconds()
      usleep(200_000)
      #expect(processorSeconds() - before < 0.002)
      meet(pool)
    }
  #endif

  @Test("Pools end cleanly, busy or asleep")
  func poolsEnd() {
    for index in 0..<200 {
      let pool = WorkerPool(threads: 1 + index % 4)
      if index % 3 != 0 { pool.forEach(4) { _, _ in } }
      if index % 10 == 0 { usleep(2_000) }
    }
    #expect(WorkerPool.availableProcessors >= 1)
  }
}
