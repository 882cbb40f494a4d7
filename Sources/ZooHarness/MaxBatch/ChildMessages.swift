import AttentionCore
import Foundation
import ZooLinearAlgebra

/// What the parent asks of one child.
struct ChildRequest: Codable, Sendable, Hashable {
  var geometry: GeometryMessage
  var variant: String
  var weights: String
  var seed: UInt64
  var threads: Int
  var cache: String
  var pageTokens: Int?
  /// Tokens of each sequence.
  var context: Int
  /// Sequences.
  var batch: Int
  /// Value of `RLIMIT_DATA`, bytes; nil: no limit.
  var limitBytes: Int?
  /// Seconds after which no decode step but the first is begun.
  var seconds: Double

  var storage: CacheStorage? {
    switch cache {
    case "contiguous": .contiguous
    case "ring": .ring
    case "paged": pageTokens.map { .paged(pageTokens: $0) }
    default: nil
    }
  }
}

/// What a child that ran answers, one line of JSON.
struct ChildReply: Codable, Sendable, Hashable {
  var weightBytes: Int
  var cacheBytes: Int
  var metadataBytes: Int
  var workspaceBytes: Int
  /// Private writable bytes of the process at its end.
  var dataBytes: Int
  /// Seconds of each decode step of all sequences; at least one.
  var stepSeconds: [Double]

  /// What the process takes beside weights, cache and workspace.
  var overheadBytes: Int {
    max(0, dataBytes - weightBytes - cacheBytes - metadataBytes - workspaceBytes)
  }
}

/// A geometry on its way to a child.
struct GeometryMessage: Codable, Sendable, Hashable {
  var name: String
  var layers: Int
  var hidden: Int
  var queryHeads: Int
  var keyValueHeads: Int
  var headWidth: Int
  var mlpWidth: Int
  var vocabulary: Int
  var tiedEmbeddings: Bool
  var maxPositions: Int
  var native: String
  var latentHeads: [Int]?

  init(_ geometry: ModelGeometry) {
    name = geometry.name
    layers = geometry.layers
    hidden = geometry.hidden
    queryHeads = geometry.queryHeads
    keyValueHeads = geometry.keyValueHeads
    headWidth = geometry.headWidth
    mlpWidth = geometry.mlpWidth
    vocabulary = geometry.vocabulary
    tiedEmbeddings = geometry.tiedEmbeddings
    maxPositions = geometry.maxPositions
    native = geometry.native
    latentHeads = geometry.latentHeads.map { [$0.nope, $0.rope, $0.value] }
  }

  var geometry: ModelGeometry {
    var heads: LatentHeadWidths?
    if let widths = latentHeads, widths.count == 3 {
      heads = LatentHeadWidths(nope: widths[0], rope: widths[1], value: widths[2])
    }
    return ModelGeometry(
      name: name, layers: layers, hidden: hidden, queryHeads: queryHeads,
      keyValueHeads: keyValueHeads, headWidth: headWidth, mlpWidth: mlpWidth,
      vocabulary: vocabulary, tiedEmbeddings: tiedEmbeddings, maxPositions: maxPositions,
      native: native, latentHeads: heads)
  }
}

enum ChildCoding {
  static func text(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { return "{}" }
    return String(decoding: data, as: UTF8.self)
  }

  static func value<Value: Decodable>(_ type: Value.Type, from text: String) -> Value? {
    try? JSONDecoder().decode(type, from: Data(text.utf8))
  }
}
