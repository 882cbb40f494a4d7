import AttentionCore
import Foundation
import ZooModels

/// `conversion.json`: what was converted from what, with everything needed to repeat it, and what it
/// lost. Lengths are elements, energies and errors shares of one, bytes a token.
public struct ConversionRecord: Codable, Sendable {
  public static let schema = "attnzoo.conversion/1"
  public static let fileName = "conversion.json"

  public struct Source: Codable, Sendable {
    /// As the command named it.
    public var path: String
    public var model: String
    public var variant: String
    /// Of the weights' bytes.
    public var weightHash: String
  }

  public struct Options: Codable, Sendable {
    /// `calibrated` or `weights-only`; absent where nothing was factorised.
    public var method: String?
    public var damping: Double?
    /// Absent: measured, layer by layer.
    public var fold: Int?
    public var frequencies: String?
    /// `named`, `energy` or `kv-bytes`, with its number.
    public var ranks: String
    public var energy: Double?
    public var keyValueBytes: Int?
  }

  public struct Text: Codable, Sendable {
    public var source: String
    /// Of the ids.
    public var hash: String
    public var total: Int
    public var calibrationTokens: Int
    /// Tokens of each calibration segment but the last, from the text's beginning.
    public var calibrationSegment: Int
    public var evaluationSegments: Int
    public var bytesPerToken: Double?
  }

  public struct Layer: Codable, Sendable {
    public var layer: Int
    public var rank: Int?
    public var fold: Int?
    public var stockFrequencies: Bool?
    public var balance: Double?
    public var energyKept: Double?
    public var keyError: Double?
    public var valueError: Double?
    public var projectionError: Double?
    public var splitOutputError: Double?
    public var outputError: Double?
    public var splitHiddenError: Double?
    public var hiddenError: Double?
    public var keyValueBytesBefore: Int
    public var keyValueBytesAfter: Int
    public var attentionParametersBefore: Int
    public var attentionParametersAfter: Int

    init(_ losses: LayerLosses) {
      layer = losses.layer
      rank = losses.factors?.rank
      fold = losses.factors?.fold
      stockFrequencies = losses.factors?.stockFrequencies
      balance = losses.factors?.balance
      energyKept = losses.factors?.energyKept
      keyError = losses.factors?.keyError
      valueError = losses.factors?.valueError
      projectionError = losses.factors?.projectionError
      splitOutputError = losses.splitOutputError
      outputError = losses.outputError
      splitHiddenError = losses.splitHiddenError
      hiddenError = losses.hiddenError
      keyValueBytesBefore = losses.keyValueBytesBefore
      keyValueBytesAfter = losses.keyValueBytesAfter
      attentionParametersBefore = losses.parametersBefore
      attentionParametersAfter = losses.parametersAfter
    }
  }

  public struct Model: Codable, Sendable {
    public var original: ModelLoss?
    public var split: ModelLoss?
    public var reduced: ModelLoss?
    public var keyValueBytesBefore: Int
    public var keyValueBytesAfter: Int
  }

  public var schema: String
  /// Of the program.
  public var version: String
  /// The command line that repeats it.
  public var command: String
  public var source: Source
  /// What was asked for, and what came out.
  public var target: String
  public var variant: String
  /// Which form the weights are written in; absent where they were not.
  public var writtenAs: String?
  public var options: Options
  public var text: Text?
  public var layers: [Layer]
  public var model: Model
  /// What the written form cost beside the conversion; absent where it cost nothing.
  public var export: ExportRecord?

  /// - Parameter command: the command line that repeats the conversion.
  public init(
    _ result: ConversionRunner.Result, source: any LayerSource, path: String,
    tokens: ConversionTokens?, version: String, command: String, writtenAs: String?
  ) {
    schema = Self.schema
    self.version = version
    self.command = command
    self.source = Source(
      path: path, model: source.weightSource, variant: source.variant.notation,
      weightHash: source.weightHash)
    target = result.goal.target.notation
    variant = result.variant.notation
    self.writtenAs = writtenAs
    let isLatent = result.layers.contains { $0.factors != nil }
    let options = result.goal.options
    self.options = Options(
      method: isLatent ? options.method.rawValue : nil,
      damping: isLatent && options.method == .calibrated ? options.damping : nil,
      fold: isLatent ? options.fold : nil,
      frequencies: isLatent ? options.frequencies?.rawValue : nil, ranks: "named")
    switch result.goal.ranks {
    case .named: break
    case .energy(let share):
      self.options.ranks = "energy"
      self.options.energy = share
    case .keyValueBytes(let bytes):
      self.options.ranks = "kv-bytes"
      self.options.keyValueBytes = bytes
    }
    text = tokens.map {
      Text(
        source: $0.source, hash: $0.hash, total: $0.total,
        calibrationTokens: $0.calibration.reduce(0) { $0 + $1.count },
        calibrationSegment: $0.calibration.first?.count ?? 0,
        evaluationSegments: $0.evaluation.count, bytesPerToken: $0.bytesPerToken)
    }
    layers = result.layers.map(Layer.init)
    model = Model(
      original: result.original, split: result.split, reduced: result.reduced,
      keyValueBytesBefore: result.keyValueBytesBefore,
      keyValueBytesAfter: result.keyValueBytesAfter)
  }

  /// The record as JSON, keys sorted, a line break at the end.
  public func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
  }
}
