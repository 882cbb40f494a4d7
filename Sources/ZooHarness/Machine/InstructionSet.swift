import CAttentionKernels
import Foundation

/// The builds of the kernels, of which `ATTNZOO_ISA` names one.
public enum InstructionSet {
  /// The builds that this machine can run, the best one last.
  public static var available: [String] {
    (0..<attn_isa_count()).compactMap { attn_isa_at($0).map { String(cString: $0) } }
  }

  /// Refuses a build asked for by `ATTNZOO_ISA` that this machine cannot run, before any kernel
  /// would take another one instead. (One that fails its check at first use is still replaced, with
  /// one line that says so.)
  /// - Throws: `HarnessError` (`usage`).
  public static func refuseUnavailable() throws(HarnessError) {
    // Not by ProcessInfo, whose dictionary would leave room in the heap of a child whose memory counts.
    guard let value = getenv("ATTNZOO_ISA"), value.pointee != 0, attn_isa_can_run(value) == 0
    else { return }
    let name = String(cString: value)
    unsetenv("ATTNZOO_ISA")
    throw HarnessError(
      .usage, "ATTNZOO_ISA=\(name): expected one of \(available.joined(separator: ", "))")
  }
}
