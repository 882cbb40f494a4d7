import Foundation

/// Normalisation form C (Unicode Standard Annex 15) of text that may hold ill-formed bytes; these stay
/// as they are and nothing is composed across them.
enum CanonicalComposition {
  static func composed(_ text: [UInt8]) -> [UInt8] {
    guard text.contains(where: { $0 >= 0x80 }) else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(text.count)
    var run = String.UnicodeScalarView()
    func flush() {
      guard !run.isEmpty else { return }
      result += String(run).precomposedStringWithCanonicalMapping.utf8
      run = String.UnicodeScalarView()
    }
    let scalars = TextScalars(text)
    for value in scalars.scalars {
      if let scalar = Unicode.Scalar(value) {
        run.append(scalar)
      } else {
        flush()
        result.append(UInt8(truncatingIfNeeded: value - TextScalars.illFormed))
      }
    }
    flush()
    return result
  }
}
