import ArgumentParser
import ZooHarness
import ZooMemory
import ZooReports

/// `attnzoo machine`: what this machine is and how fast it reads and computes.
struct MachineCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "machine",
    abstract: "This machine: processor, instruction set, memory, measured bandwidth and peak.",
    discussion: """
      Read bandwidth is measured by all threads over a buffer of eight last-level caches, the peak \
      by independent float32 multiply-adds; medians of several readings.

      Example:
        attnzoo machine --format json
      """)

  @OptionGroup var output: FormatOptions
  @Option(help: "Threads that compute; all processors by default.")
  var threads: Int?

  func run() async throws {
    let count = try ThreadCount.checked(threads)
    let facts = await MachineFacts()
    let roofs = try RoofProbe(pool: WorkerPool(threads: count)).measure()
    let machine = facts.machine(roofs: roofs)
    var table = Table(columns: [.init("fact", .left), .init("value", .left)])
    table.append(["cpu", Table.Cell(machine.cpu)])
    table.append(["cores", .whole(machine.cores)])
    table.append(["instruction set", Table.Cell(machine.isa)])
    table.append(["memory", .bytes(machine.memoryBytes)])
    table.append(["huge pages", Table.Cell(machine.hugePages)])
    table.append(["operating system", Table.Cell(machine.os)])
    table.append(["Swift", Table.Cell(machine.swift)])
    table.append(["OpenBLAS", Table.Cell(machine.openblas)])
    table.append(["commit", Table.Cell(machine.commit)])
    table.append(["threads", .whole(count)])
    table.append(["read GB/s", .number(roofs.readGBPerSecond)])
    table.append(["peak GFLOP/s (f32)", .number(roofs.peakGFLOPPerSecond)])
    table.append(["ridge FLOP/byte", .number(roofs.ridge)])
    try output.show(table)
  }
}
