import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Set by the signal handler, which can reach nothing else.
private let interruptRequested = Atomic<Bool>(false)

/// Ctrl-C as a flag that a run asks for between two steps, so that its files stay whole.
public enum Interruption {
  /// From now on ctrl-C sets the flag; a second one ends the process as usual.
  public static func watch() {
    interruptRequested.store(false, ordering: .relaxed)
    // A parent may have started the process with the signal held back.
    var interrupt = sigset_t()
    sigemptyset(&interrupt)
    sigaddset(&interrupt, SIGINT)
    pthread_sigmask(SIG_UNBLOCK, &interrupt, nil)
    signal(SIGINT) { _ in
      interruptRequested.store(true, ordering: .relaxed)
      signal(SIGINT, SIG_DFL)
    }
  }

  /// Ctrl-C ends the process again.
  public static func unwatch() { signal(SIGINT, SIG_DFL) }

  /// Whether ctrl-C was pressed since `watch`.
  public static var isRequested: Bool { interruptRequested.load(ordering: .relaxed) }
}
