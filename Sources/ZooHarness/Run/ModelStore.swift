import AttentionCore
import ZooLinearAlgebra
import ZooMemory
import ZooModels
import ZooPlanner

/// The random-weight models of a suite, made when first needed and given up when no longer. They
/// share embedding, head and MLPs, which do not depend on the variant.
final class ModelStore {
  private let suite: Suite
  private let pool: WorkerPool
  private var models: [Variant: DecoderModel] = [:]
  private var first: DecoderModel?

  init(suite: Suite, pool: WorkerPool) {
    self.suite = suite
    self.pool = pool
  }

  /// Gives up the models of all other variants.
  func keep(_ variants: [Variant]) {
    models = models.filter { variants.contains($0.key) }
  }

  /// The model of a variant.
  func model(_ variant: Variant) throws -> DecoderModel {
    if let model = models[variant] { return model }
    let model = try DecoderModel(
      randomWeights: suite.geometry, variant: variant, format: suite.weights, seed: suite.seed,
      pool: pool, sharingWith: first)
    if first == nil { first = model }
    models[variant] = model
    return model
  }

  /// Bytes of weights that all variants share.
  static func sharedBytes(_ suite: Suite) -> Int {
    DecoderModel.sharedWeightBytes(suite.geometry, format: suite.weights)
  }

  /// Bytes that the weights of a variant take, shared ones included.
  static func weightBytes(_ suite: Suite, _ variant: Variant) -> Int {
    let plan = try? WeightPlan(
      geometry: suite.geometry, variant: variant,
      bitsPerParameter: suite.weights.bytesPerElement * 8)
    return plan?.bytes ?? Int.max / 4
  }
}
