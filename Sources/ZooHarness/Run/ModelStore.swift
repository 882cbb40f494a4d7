import AttentionCore
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooPlanner
import ZooRecords

/// The models of a suite, made when first needed and given up when no longer: with random weights, or
/// those of the suite's model converted to each variant. They share embedding, head and MLPs, which do
/// not depend on the variant.
final class ModelStore {
  private let suite: Suite
  private let pool: WorkerPool
  private var models: [Variant: DecoderModel] = [:]
  private var first: DecoderModel?
  /// The suite's model in its own variant; nil for random weights.
  private var original: DecoderModel?

  init(suite: Suite, pool: WorkerPool) {
    self.suite = suite
    self.pool = pool
  }

  /// Reads the weights of the suite's model, where it has one.
  /// - Returns: what rows say of them; nil for random weights.
  /// - Throws: `CheckpointError`, `OutOfMemory`.
  func loadOriginal() throws -> ResultRow.Weights? {
    guard let source = suite.model else { return nil }
    let model = try ModelFolder(source).load(format: suite.weights, pool: pool)
    original = model
    return ResultRow.Weights(
      dtype: suite.weights.rawValue, source: model.weightSource, hash: model.weightHash)
  }

  /// Gives up the models of all other variants.
  func keep(_ variants: [Variant]) {
    models = models.filter { variants.contains($0.key) }
  }

  /// The model of a variant.
  /// - Throws: `NotationError` and `ConversionError` where the suite's model cannot become it,
  ///   `LAPACKError`, `OutOfMemory`.
  func model(_ variant: Variant) throws -> DecoderModel {
    if let model = models[variant] { return model }
    let model =
      if let original {
        try original.asVariant(variant)
      } else {
        try DecoderModel(
          randomWeights: suite.geometry, variant: variant, format: suite.weights, seed: suite.seed,
          pool: pool, sharingWith: first)
      }
    if first == nil { first = model }
    models[variant] = model
    return model
  }

  /// Bytes of weights that all variants share.
  var sharedBytes: Int {
    guard let original else {
      return DecoderModel.sharedWeightBytes(suite.geometry, format: suite.weights)
    }
    return original.weightBytes - original.layers.reduce(0) { $0 + $1.attention.weightBytes }
  }

  /// Bytes that the weights of a variant take, shared ones included.
  func weightBytes(_ variant: Variant) -> Int {
    let planned = Self.weightBytes(suite, variant)
    guard let original else { return planned }
    // What a plan does not know, such as experts, is the same in every variant.
    return original.weightBytes + planned - Self.weightBytes(suite, original.variant)
  }

  /// Bytes that the weights of a variant of the suite's geometry take by plan.
  static func weightBytes(_ suite: Suite, _ variant: Variant) -> Int {
    let plan = try? WeightPlan(
      geometry: suite.geometry, variant: variant,
      bitsPerParameter: suite.weights.bytesPerElement * 8)
    return plan?.bytes ?? Int.max / 4
  }
}
