import CAttentionKernels
import Foundation
import ZooLinearAlgebra
import ZooMemory
import ZooRecords

/// What a row says about the machine and the software, read once a run.
public struct MachineFacts: Sendable, Hashable {
  private let template: ResultRow.Machine

  /// Reads the facts; the commit is that of the sources beside the executable, see `SourceCommit`.
  public init() async {
    let commit = await SourceCommit.current()
    self.init(commit: commit)
  }

  /// Reads the facts and takes `commit` as given.
  public init(commit: String) {
    template = ResultRow.Machine(
      cpu: Self.cpu, cores: WorkerPool.availableProcessors, isa: String(cString: attn_isa_name()),
      memoryBytes: ProcessMemory.total, hugePages: Self.hugePages, os: Self.system,
      swift: Self.compiler, openblas: OpenBLAS.configuration, commit: commit, date: "")
  }

  /// The row's machine block as of now.
  public func machine(roofs: MachineRoofs? = nil, stable: Bool? = nil) -> ResultRow.Machine {
    var machine = template
    machine.date = Date.now.formatted(.iso8601)
    machine.readGBPerSecond = roofs?.readGBPerSecond
    machine.peakGFLOPPerSecond = roofs?.peakGFLOPPerSecond
    machine.stable = stable
    return machine
  }

  /// The parts that do not change during a run.
  public var identity: MachineIdentity { template.identity }

  private static var cpu: String {
    for line in (ProcessMemory.text(of: "/proc/cpuinfo") ?? "").split(separator: "\n") {
      // "model name" on x86, "Model" or "CPU part" on some Arm kernels.
      let halves = line.split(separator: ":", maxSplits: 1)
      guard halves.count == 2 else { continue }
      let name = halves[0].trimmingCharacters(in: .whitespaces)
      if ["model name", "Model", "CPU part"].contains(name) {
        return halves[1].trimmingCharacters(in: .whitespaces)
      }
    }
    return "unknown"
  }

  /// The setting in brackets of `always [madvise] never`.
  private static var hugePages: String {
    let text = ProcessMemory.text(of: "/sys/kernel/mm/transparent_hugepage/enabled") ?? ""
    guard let open = text.firstIndex(of: "["), let close = text.firstIndex(of: "]"), open < close
    else { return "unknown" }
    return String(text[text.index(after: open)..<close])
  }

  private static var system: String {
    var name: String?
    for line in (ProcessMemory.text(of: "/etc/os-release") ?? "").split(separator: "\n")
    where line.hasPrefix("PRETTY_NAME=") {
      name = line.dropFirst("PRETTY_NAME=".count).trimmingCharacters(in: ["\""])
    }
    let kernel = ProcessMemory.text(of: "/proc/sys/kernel/osrelease")
    return [name ?? ProcessInfo.processInfo.operatingSystemVersionString, kernel]
      .compactMap { $0 }.joined(separator: ", kernel ")
  }

  /// The compiler that built this, as far as it can be told at compile time.
  private static var compiler: String {
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #elseif compiler(>=6.3)
      "6.3"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }
}
