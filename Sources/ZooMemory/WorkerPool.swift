import CAttentionKernels
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A fixed set of threads that share out the parts of one job at a time.
///
/// A decode step has dozens of phases under 100 µs, so workers spin for a bounded time after a job
/// before they sleep. Parts are handed out by a counter: which worker runs a part varies, what the
/// part computes must not. The calling thread is worker 0.
public final class WorkerPool: Sendable {
  /// One part of a job: the context given to `run`, the part's index, the worker that runs it.
  public typealias Body = @convention(c) (UnsafeMutableRawPointer, Int, Int) -> Void

  /// Threads that work, the caller's included.
  public let threads: Int
  private let shared: SharedState
  private let workers: [Worker]

  /// - Parameter threads: at least 1; 1 runs everything on the caller.
  public init(threads: Int) {
    precondition(threads >= 1, "a worker pool needs at least one thread")
    self.threads = threads
    let shared = SharedState()
    self.shared = shared
    workers = (1..<threads).map { Worker(index: $0, shared: shared) }
  }

  deinit {
    shared.stop()
    for worker in workers { worker.join() }
  }

  /// Runs parts 0 ..< `count` of a job and returns when all are done. Not reentrant: one job at a
  /// time, from one thread at a time. Allocates nothing.
  public func run(count: Int, context: UnsafeMutableRawPointer, body: @escaping Body) {
    if threads == 1 || count <= 1 {
      for part in 0..<count { body(context, part, 0) }
      return
    }
    shared.publish(count: count, context: context, body: body)
    shared.takeParts(worker: 0)
    shared.close()
  }

  /// Runs `body(part, worker)` for parts 0 ..< `count`. For set-up work; hot paths use
  /// `run(count:context:body:)`, which allocates nothing.
  public func forEach(_ count: Int, _ body: (_ part: Int, _ worker: Int) -> Void) {
    withoutActuallyEscaping(body) { escapable in
      var closure = escapable
      withUnsafeMutablePointer(to: &closure) { pointer in
        run(count: count, context: UnsafeMutableRawPointer(pointer)) { context, part, worker in
          context.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(part, worker)
        }
      }
    }
  }

  /// Processors that this process may run on.
  public static var availableProcessors: Int {
    Int(attn_available_processors())
  }
}

/// What caller and workers share.
///
/// The job's fields are written while it is closed and before `openJob` names it; a worker joins
/// (`active`) before it looks whether the job is open, so that the caller, which closes the job and
/// then waits for `active` to fall to zero, never has to wait for a worker that did not get a
/// processor in time.
private final class SharedState: @unchecked Sendable {
  /// Number of the last job.
  private let generation = Atomic<Int>(0)
  /// Number of the job that may be joined; 0: none.
  private let openJob = Atomic<Int>(0)
  /// Workers that have joined and not left.
  private let active = Atomic<Int>(0)
  private let nextPart = Atomic<Int>(0)
  private let sleepers = Atomic<Int>(0)
  private let stopping = Atomic<Bool>(false)
  private var count = 0
  private var context: UnsafeMutableRawPointer?
  private var body: WorkerPool.Body?
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let wake = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  /// About 50 µs of pauses: longer than the gap between two phases of a step.
  private static let spins = 2_000

  init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(wake, nil)
  }

  deinit {
    pthread_cond_destroy(wake)
    pthread_mutex_destroy(mutex)
    wake.deallocate()
    mutex.deallocate()
  }

  func publish(count: Int, context: UnsafeMutableRawPointer, body: @escaping WorkerPool.Body) {
    self.count = count
    self.context = context
    self.body = body
    nextPart.store(0, ordering: .relaxed)
    let job = generation.load(ordering: .relaxed) &+ 1
    openJob.store(job, ordering: .sequentiallyConsistent)
    announce(job)
  }

  func stop() {
    stopping.store(true, ordering: .relaxed)
    announce(generation.load(ordering: .relaxed) &+ 1)
  }

  /// Sequentially consistent on both sides: either the worker sees the new generation before it
  /// sleeps, or this side sees the sleeper and wakes it.
  private func announce(_ job: Int) {
    generation.store(job, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 {
      pthread_mutex_lock(mutex)
      pthread_cond_broadcast(wake)
      pthread_mutex_unlock(mutex)
    }
  }

  func takeParts(worker: Int) {
    guard let context, let body else { return }
    while true {
      let part = nextPart.wrappingAdd(1, ordering: .relaxed).oldValue
      if part >= count { return }
      body(context, part, worker)
    }
  }

  /// Closes the job, whose parts are all taken, and waits for the workers that are still at theirs.
  func close() {
    openJob.store(0, ordering: .sequentiallyConsistent)
    var spins = 0
    while active.load(ordering: .sequentiallyConsistent) > 0 {
      spins += 1
      if spins % 4_096 == 0 { sched_yield() } else { attn_cpu_relax() }
    }
  }

  func serve(worker: Int) {
    var seen = 0
    while true {
      waitForGeneration(after: seen)
      seen = generation.load(ordering: .acquiring)
      if stopping.load(ordering: .relaxed) { return }
      active.wrappingAdd(1, ordering: .sequentiallyConsistent)
      if openJob.load(ordering: .sequentiallyConsistent) != 0 { takeParts(worker: worker) }
      active.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    }
  }

  private func waitForGeneration(after seen: Int) {
    for _ in 0..<Self.spins {
      if generation.load(ordering: .acquiring) != seen { return }
      attn_cpu_relax()
    }
    pthread_mutex_lock(mutex)
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    while generation.load(ordering: .sequentiallyConsistent) == seen {
      pthread_cond_wait(wake, mutex)
    }
    sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
    pthread_mutex_unlock(mutex)
  }
}

/// One thread. It keeps the shared state alive, never the pool.
private final class Worker: @unchecked Sendable {
  private var thread = pthread_t()
  private let started: Bool

  init(index: Int, shared: SharedState) {
    let box = Unmanaged.passRetained(Start(index: index, shared: shared))
    let status = pthread_create(
      &thread, nil,
      { raw in
        guard let raw else { return nil }
        let start = Unmanaged<Start>.fromOpaque(raw).takeRetainedValue()
        start.shared.serve(worker: start.index)
        return nil
      }, box.toOpaque())
    precondition(status == 0, "a worker thread could not be started")
    started = true
  }

  func join() {
    if started { pthread_join(thread, nil) }
  }

  private final class Start {
    let index: Int
    let shared: SharedState
    init(index: Int, shared: SharedState) {
      self.index = index
      self.shared = shared
    }
  }
}
