import ZooRecords

/// Machine, commit and date of a run, all from its rows.
struct HeaderSection: Sendable {
  let run: ReportRun

  /// Median of the bandwidth probes, GB/s.
  var readGBPerSecond: Double? { median(run.rows.compactMap(\.machine.readGBPerSecond)) }

  /// Median of the peak probes, GFLOP/s.
  var peakGFLOPPerSecond: Double? { median(run.rows.compactMap(\.machine.peakGFLOPPerSecond)) }

  /// FLOPs that this machine does in the time of reading a byte.
  var ridge: Double? {
    guard let read = readGBPerSecond, let peak = peakGFLOPPerSecond, read > 0 else { return nil }
    return peak / read
  }

  func markdown() -> String {
    let machine = run.machine
    var lines: [(String, String)] = [
      ("CPU", "\(machine.cpu), \(machine.cores) core\(machine.cores == 1 ? "" : "s")"),
      ("Instruction set", machine.isa),
      ("Memory", "\(NumberText.bytes(machine.memoryBytes)), huge pages: \(machine.hugePages)"),
      ("System", machine.os),
      ("Swift", machine.swift),
      ("OpenBLAS", machine.openblas),
    ]
    lines.append(
      ("Read bandwidth", probe(run.rows.compactMap(\.machine.readGBPerSecond), "GB/s")))
    lines.append(
      ("Peak", probe(run.rows.compactMap(\.machine.peakGFLOPPerSecond), "GFLOP/s (float32)")))
    lines.append(
      (
        "Ridge",
        ridge.map { "\(NumberText.significant($0)) FLOP/byte (peak ÷ read bandwidth)" }
          ?? NumberText.missing
      ))
    lines.append(("Commit", "`\(machine.commit)`"))
    lines.append(("Date", dates))
    lines.append(("Suite", suites))
    lines.append(("Stable", stability))
    let table = Table(
      columns: [.init("Machine", .left), .init("", key: "value", .left)],
      rows: lines.map { [Table.Cell($0.0), Table.Cell($0.1)] })
    return table.render(.markdown)
  }

  private func median(_ values: [Double]) -> Double? {
    values.isEmpty ? nil : Median.of(values)
  }

  private func probe(_ values: [Double], _ unit: String) -> String {
    guard let low = values.min(), let high = values.max() else { return NumberText.missing }
    let middle = NumberText.significant(Median.of(values))
    let ends = "\(NumberText.significant(low)) to \(NumberText.significant(high))"
    let count = "\(values.count) row\(values.count == 1 ? "" : "s")"
    return low == high ? "\(middle) \(unit)" : "\(middle) \(unit) (median of \(count); \(ends))"
  }

  private var dates: String {
    let dates = run.rows.map(\.machine.date)
    guard let first = dates.min(), let last = dates.max() else { return NumberText.missing }
    return first == last ? first : "\(first) to \(last)"
  }

  private var suites: String {
    Set(run.rows.map(\.suite)).filter { !$0.isEmpty }.sorted().joined(separator: ", ")
  }

  private var stability: String {
    let said = run.rows.compactMap(\.machine.stable)
    let unstable = said.filter { !$0 }.count
    if said.isEmpty { return NumberText.missing }
    return unstable == 0
      ? "yes, all \(said.count) rows that say"
      : "no: \(unstable) of \(said.count) rows were measured while the machine's speed changed (†)"
  }
}
