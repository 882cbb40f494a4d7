import ArgumentParser
import ZooHarness
import ZooModels

/// Which tokens calibrate a conversion, and which measure it.
struct ConversionTextOptions: ParsableArguments {
  @Option(help: "A text to calibrate and measure on; the embedded model has its own.")
  var text: String?
  @Option(help: "The same as token ids: .npy or .safetensors.")
  var tokens: String?
  @Option(
    help: "Tokens that calibrate, from the beginning; at most half the text or 16k by default.")
  var calibrationTokens: String?
  @Option(
    help: "Segments of 1,024 tokens that losses are measured on, from the end; 16 by default.")
  var evaluationSegments: Int?

  func tokens(of source: ModelSource) throws -> ConversionTokens? {
    guard text == nil || tokens == nil else {
      throw UsageError("--text and --tokens exclude each other")
    }
    let calibration = try calibrationTokens.map { text in
      guard let count = Quantity.tokens(text) else {
        throw UsageError("--calibration-tokens \(text): expected a number such as 4096 or 16k")
      }
      return count
    }
    guard evaluationSegments ?? 0 >= 0 else {
      throw UsageError("--evaluation-segments: expected a number from 0")
    }
    guard let found = try source.tokens(text: text, tokens: tokens) else {
      guard calibration == nil, evaluationSegments == nil else {
        throw UsageError("expected --text or --tokens to take tokens from")
      }
      return nil
    }
    return try ConversionTokens(
      ids: found.ids, byteCounts: found.byteCounts, source: found.name, calibration: calibration,
      evaluation: evaluationSegments, longest: source.layers.geometry.maxPositions)
  }
}
