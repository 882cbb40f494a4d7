import CAttentionKernels
import Foundation

/// The builds of the kernels, of which `ATTNZOO_ISA` names one.
public enum InstructionSet {
  /// The builds that this machine can run, the best one last.
  public static var available: [String] {
    (0..<attn_isa_count()).compactMap { attn_isa_at($0).map { String(cString: $0) } }
  }

  /// Refuses a build asked for by `ATTNZOO_ISA` that this machine cannot run, before any kernel
  /// would take another one instead: a figure must be of the build that was asked for.
  /// - Throws: `HarnessError` (`usage`).
  public static func refuseUnavailable() throws(HarnessError) {
    guard let name = ProcessInfo.processInfo.environment["ATTNZOO_ISA"], !name.isEmpty,
      attn_isa_can_run(name) == 0
    else { return }
    unsetenv("ATTNZOO_ISA")
    throw HarnessError(
      .usage, "ATTNZOO_ISA=\(name): expected one of \(available.joined(separator: ", "))")
  }
}
