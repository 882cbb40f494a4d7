import Foundation

extension CheckpointFolder {
  /// Weights in the files that belong to the model: factors and exponents of narrow formats are not
  /// counted, two 4-bit weights a byte are, and layers behind the last (multi-token prediction) and
  /// parts for other media than text are left out.
  public var parameterCount: Int {
    names.reduce(0) { total, name in
      guard belongs(name), let tensor = try? tensor(named: name) else { return total }
      if name.hasSuffix("_scale_inv") || name.hasSuffix("_scales") { return total }
      let isPacked = name.hasSuffix("_blocks") && tensor.dtype == .u8
      return total + tensor.elementCount * (isPacked ? 2 : 1)
    }
  }

  private func belongs(_ name: String) -> Bool {
    if ["vision", "audio", "multi_modal", "multimodal"].contains(where: { name.contains($0) }) {
      return false
    }
    guard let place = name.range(of: "layers.") else {
      // A tied head that is stored all the same is the embedding once more.
      return !(config.tiesEmbeddings && name.hasSuffix(LlamaTensorNames.head))
    }
    let digits = name[place.upperBound...].prefix { $0.isNumber }
    return Int(digits).map { $0 < config.layerCount } ?? true
  }
}
