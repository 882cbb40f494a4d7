import Foundation

/// What the system says about this process's memory and the machine's, bytes.
public enum ProcessMemory {
  /// Memory that a new allocation may take without swapping: the system's estimate, lowered to what
  /// a control group leaves. Cached files that the group would give up count as free.
  public static var available: Int {
    let system = value("MemAvailable", in: "/proc/meminfo") ?? total
    guard let limit = groupLimit, let used = groupUse else { return system }
    return max(0, min(system, limit - max(0, used - groupReclaimable)))
  }

  /// Main memory that the process may use.
  public static var total: Int {
    let system =
      value("MemTotal", in: "/proc/meminfo") ?? Int(ProcessInfo.processInfo.physicalMemory)
    return min(system, groupLimit ?? system)
  }

  /// Resident bytes now.
  public static var resident: Int { value("VmRSS", in: "/proc/self/status") ?? 0 }

  /// Most resident bytes since the process started or `resetPeak` was called.
  public static var peakResident: Int { value("VmHWM", in: "/proc/self/status") ?? 0 }

  /// Private writable bytes, resident or not: what `RLIMIT_DATA` limits.
  public static var data: Int { value("VmData", in: "/proc/self/status") ?? 0 }

  /// Starts `peakResident` anew; false where the system does not let it.
  @discardableResult
  public static func resetPeak() -> Bool {
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return false }
    defer { try? file.close() }
    do {
      try file.write(contentsOf: Data("5".utf8))
      return true
    } catch {
      return false
    }
  }

  /// Size of the last-level cache of one processor, nil where the system does not say.
  public static var lastLevelCache: Int? {
    let folder = "/sys/devices/system/cpu/cpu0/cache"
    var size: Int?
    for index in 0..<8 {
      guard let text = text(of: "\(folder)/index\(index)/size") else { continue }
      let digits = text.prefix { $0.isNumber }
      guard let number = Int(digits) else { continue }
      let unit = text.dropFirst(digits.count).first
      let bytes = number << (unit == "K" ? 10 : unit == "M" ? 20 : 0)
      size = max(size ?? 0, bytes)
    }
    return size
  }

  private static var groupLimit: Int? {
    for path in ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] {
      if let text = text(of: path), let bytes = Int(text), bytes < 1 << 50 { return bytes }
    }
    return nil
  }

  private static var groupUse: Int? {
    for path in ["/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory/memory.usage_in_bytes"] {
      if let text = text(of: path), let bytes = Int(text) { return bytes }
    }
    return nil
  }

  private static var groupReclaimable: Int {
    for path in ["/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"] {
      if let text = text(of: path) { return reclaimable(memoryStat: text) }
    }
    return 0
  }

  /// Bytes of cached files in the text of a control group's `memory.stat`; its first version counts
  /// child groups in names of their own.
  public static func reclaimable(memoryStat text: String) -> Int {
    var values: [Substring: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count == 2, let bytes = Int(words[1]), bytes >= 0 { values[words[0]] = bytes }
    }
    return ["inactive_file", "active_file"].reduce(0) { sum, name in
      sum + (values["total_\(name)"] ?? values[Substring(name)] ?? 0)
    }
  }

  /// The number of kibibytes after `name:` in a file of such lines, as bytes.
  private static func value(_ name: String, in path: String) -> Int? {
    guard let text = text(of: path) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
      return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }.map { $0 << 10 }
    }
    return nil
  }

  static func text(of path: String) -> String? {
    guard let data = FileManager.default.contents(atPath: path) else { return nil }
    return String(decoding: data, as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
  }
}
