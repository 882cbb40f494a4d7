import Foundation

/// Changes valid files in ways that reach past their first bytes: bits, bytes, numbers, whole JSON
/// values and members, nesting, lengths.
struct Mutator {
  var generator: SeededGenerator
  private let keptPath: String?

  init(seed: UInt64, keepsAt path: String? = nil) {
    generator = SeededGenerator(seed: seed)
    keptPath = path
  }

  private static let numbers = [
    "-1", "0", "1", "2", "3", "7", "16", "255", "65536", "1048576", "2147483647", "2147483648",
    "4294967296", "4611686018427387904", "9223372036854775807", "9223372036854775808",
    "18446744073709551616", "-9223372036854775808", "1e308", "1e-308", "1e400", "-0.0", "0.5",
    "0.1e+1", "00", "1.",
  ]
  private static let values = [
    "null", "true", "false", "[]", "{}", "\"\"", "\"F64\"", "\"BF16\"", "[0]", "[[]]", "{\"a\":1}",
    "\"\\u0000\"", "\"\\ud800\"", "\"𝒳\"", "[1,2,3]", "\"default\"", "\"yarn\"", "-1", "0.25",
  ]
  private static let bytes =
    Array("{}[]\",:-0123456789eE.\\ unlF|?*+()^$psSN".utf8) + [0, 0x1f, 0x80, 0xff]

  mutating func chance(_ one: Int) -> Bool { Int.random(in: 0..<one, using: &generator) == 0 }

  mutating func number(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }

  mutating func pick<Element>(_ list: [Element]) -> Element { list[number(0..<list.count)] }

  /// Keeps what is read next where a run asks for it.
  func keep(_ bytes: [UInt8]) {
    guard let keptPath else { return }
    try? Data(bytes).write(to: URL(fileURLWithPath: keptPath))
  }

  /// One to three changes of a text.
  mutating func mutate(_ original: [UInt8]) -> [UInt8] {
    var text = original
    for _ in 0..<number(1..<4) {
      guard !text.isEmpty else { break }
      change(&text)
    }
    keep(text)
    return text
  }

  private mutating func change(_ text: inout [UInt8]) {
    let place = number(0..<text.count)
    switch number(0..<14) {
    case 0: text[place] ^= 1 << UInt8(number(0..<8))
    case 1: text[place] = pick(Self.bytes)
    case 2: text.insert(pick(Self.bytes), at: place)
    case 3: text.remove(at: place)
    case 4:
      let end = min(text.count, place + number(1..<41))
      text.insert(contentsOf: text[place..<end], at: number(0..<place + 1))
    case 5: text.removeSubrange(place..<min(text.count, place + number(1..<40)))
    case 6: text.removeLast(number(1..<text.count + 1))
    case 7:
      let depth = pick([3, 63, 64, 65, 1_000, 20_000])
      text.replaceSubrange(
        place..<place, with: [UInt8](repeating: pick(Array("[{".utf8)), count: depth))
    case 8, 9: replaceValue(&text, from: place)
    case 10: repeatMember(&text, from: place)
    default: replaceNumber(&text, from: place)
    }
  }

  /// Replaces the first run of digits after `place`.
  private mutating func replaceNumber(_ text: inout [UInt8], from place: Int) {
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    guard let start = text[place...].firstIndex(where: digits.contains) else { return }
    let end = text[start...].firstIndex { !digits.contains($0) } ?? text.count
    text.replaceSubrange(start..<end, with: Array(pick(Self.numbers).utf8))
  }

  /// Replaces what stands between the next colon and the comma or brace after it.
  private mutating func replaceValue(_ text: inout [UInt8], from place: Int) {
    guard let colon = text[place...].firstIndex(of: UInt8(ascii: ":")) else { return }
    let rest = text[(colon + 1)...]
    let end = rest.firstIndex { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "}") } ?? text.count
    let value = pick(chance(2) ? Self.values : Self.numbers)
    text.replaceSubrange(colon + 1..<end, with: Array(value.utf8))
  }

  /// Repeats the next member of an object, sometimes with its key changed.
  private mutating func repeatMember(_ text: inout [UInt8], from place: Int) {
    guard let start = text[place...].firstIndex(of: UInt8(ascii: "\"")),
      let end = text[start...].firstIndex(of: UInt8(ascii: ",")), end > start
    else { return }
    var member = Array(text[start...end])
    if chance(2), member.count > 2 { member[1] ^= 1 }
    text.insert(contentsOf: member, at: start)
  }
}
