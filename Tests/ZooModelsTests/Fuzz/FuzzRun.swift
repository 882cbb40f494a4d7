import Foundation
import Testing

/// How long mutations of one kind of file go on: so many cases from a fixed seed in `make test`, so
/// many seconds from a seed of the clock in `make fuzz` (`ZOO_FUZZ_SECONDS`, `ZOO_FUZZ_SEED`).
struct FuzzRun {
  /// The kind of file, for messages.
  let name: String
  /// Cases where no seconds are given.
  let cases: Int

  private static let environment = ProcessInfo.processInfo.environment
  /// Seconds of all kinds together; nil: a bounded number of cases.
  private static let seconds = environment["ZOO_FUZZ_SECONDS"].flatMap { Double($0) }
  /// Kinds among which the seconds are divided.
  private static let kinds = 7.0
  /// A case that takes longer is a fault, whatever comes of it.
  private static let mostSeconds = 10.0
  /// The folder for the input that was read last, so that one which ends the process can be looked at.
  private static let keptFolder = environment["ZOO_FUZZ_KEEP"]

  private static let seed: UInt64 =
    environment["ZOO_FUZZ_SEED"].flatMap { UInt64($0) }
    ?? (seconds == nil ? 20_260_101 : UInt64.random(in: 1...UInt64.max >> 16))

  init(_ name: String, cases: Int) {
    self.name = name
    self.cases = cases
  }

  /// Calls `body` with a mutator, again and again; `body` says whether the file was accepted.
  func run(_ body: (inout Mutator) throws -> Bool) throws {
    let kind = name.utf8.reduce(0 as UInt64) { $0 &* 31 &+ UInt64($1) }
    var mutator = Mutator(seed: Self.seed ^ kind, keepsAt: Self.keptFolder.map { "\($0)/\(name)" })
    let clock = ContinuousClock()
    let begin = clock.now
    if Self.seconds != nil { print("fuzz \(name): ZOO_FUZZ_SEED=\(Self.seed)") }
    var done = 0
    var accepted = 0
    while !isOver(done, clock.now - begin) {
      let start = clock.now
      if try body(&mutator) { accepted += 1 }
      done += 1
      let taken = (clock.now - start) / .seconds(1)
      #expect(taken < Self.mostSeconds, "\(name), seed \(Self.seed), case \(done): \(taken) s")
    }
    if Self.seconds != nil { print("fuzz \(name): \(done) cases, \(accepted) accepted") }
    #expect(accepted > 0 && accepted < done, "the mutations of \(name) reach both outcomes")
  }

  private func isOver(_ done: Int, _ elapsed: Duration) -> Bool {
    guard let seconds = Self.seconds else { return done >= cases }
    return elapsed / .seconds(1) >= seconds / Self.kinds
  }
}
