import Foundation
import ZooModels
import ZooRecords

/// The tokens of a conversion: those that calibrate it, from the beginning of a text, and those that
/// its loss is measured on, from the end; never the same.
public struct ConversionTokens: Sendable {
  /// Where the ids come from, for reports: a file, or the embedded model's text.
  public let source: String
  /// Identifies the ids.
  public let hash: String
  /// Ids of the whole text.
  public let total: Int
  /// Bytes that a scored token stands for, mean; nil where they are not known.
  public let bytesPerToken: Double?
  /// Segments of consecutive ids, each read from position 0.
  public let calibration: [[Int32]]
  /// Segments as ``EvaluationProtocol`` has them.
  public let evaluation: [[Int32]]

  /// Calibration tokens where no number is asked for.
  public static let usualCalibration = 16_384
  /// Evaluation segments where no number is asked for.
  public static let usualEvaluation = 16

  /// Divides a text.
  /// - Parameters:
  ///   - byteCounts: bytes that each token stands for; nil where they are not known.
  ///   - calibration: tokens, taken in segments of 1,024 from the beginning; nil: 16,384 or as many as
  ///     leave half of the text.
  ///   - evaluation: most segments, taken from the end; nil: 16.
  ///   - longest: most positions that the model was made for.
  /// - Throws: `HarnessError` (bad data) where the text is shorter than what is asked for.
  public init(
    ids: [Int32], byteCounts: [Int32]?, source: String, calibration: Int? = nil,
    evaluation: Int? = nil, longest: Int
  ) throws(HarnessError) {
    self.source = source
    total = ids.count
    hash = CaseKey.hash(ids.map { String($0) }.joined(separator: " "))
    guard !ids.isEmpty else {
      throw HarnessError(.badData, "\(source): no tokens, expected a text to calibrate on")
    }
    let segment = min(EvaluationProtocol.segment, longest)
    let wanted = calibration ?? min(Self.usualCalibration, max(segment, ids.count / 2))
    let seen = calibration == nil ? min(wanted, ids.count) : wanted
    guard seen <= ids.count else {
      throw HarnessError(
        .badData, "\(source): \(ids.count) tokens, expected at least the \(seen) to calibrate on")
    }
    self.calibration = stride(from: 0, to: seen, by: segment).map {
      Array(ids[$0..<min($0 + segment, seen)])
    }
    // Counted from the beginning of the text, as `eval` counts segments.
    let length = EvaluationProtocol.segment
    let first = (seen + length - 1) / length
    let last = longest < length ? first : ids.count / length
    let kept = max(0, min(evaluation ?? Self.usualEvaluation, last - first))
    if let evaluation, kept < evaluation {
      throw HarnessError(
        .badData,
        "\(source): \(max(0, last - first)) segments of \(length) tokens after those that calibrate, "
          + "expected \(evaluation)")
    }
    let segments = (last - kept..<max(last - kept, last)).map { $0 * length..<($0 + 1) * length }
    self.evaluation = segments.map { Array(ids[$0]) }
    bytesPerToken = byteCounts.map { counts in
      let scored = segments.map { counts[$0.suffix(EvaluationProtocol.scored)] }
      let bytes = scored.reduce(0) { $0 + $1.reduce(0) { $0 + Int($1) } }
      return Double(bytes) / Double(max(1, segments.count * EvaluationProtocol.scored))
    }
  }
}
