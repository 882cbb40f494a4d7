/// The characters that stand for bytes in a byte-level vocabulary (GPT-2, Radford et al. 2019):
/// printable Latin-1 stands for itself, every other byte for a scalar from U+0100 on, in order.
enum ByteLevelAlphabet {
  /// The scalar of each byte.
  static let scalars: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { (byte: UInt32) -> Unicode.Scalar in
      if let scalar = Unicode.Scalar(byte), isItself(byte) { return scalar }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? "?"
    }
  }()

  private static let bytes: [UInt32: UInt8] = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($1.value, UInt8($0)) })

  private static func isItself(_ byte: UInt32) -> Bool {
    (0x21...0x7e).contains(byte) || (0xa1...0xac).contains(byte) || (0xae...0xff).contains(byte)
  }

  /// The bytes that `text` stands for; nil where it holds another character.
  static func bytes(of text: some StringProtocol) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      if (0x21...0x7e).contains(scalar.value) {
        result.append(UInt8(scalar.value))
      } else if let byte = bytes[scalar.value] {
        result.append(byte)
      } else {
        return nil
      }
    }
    return result
  }
}
