import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// A decoder around interchangeable attention modules; immutable.
public final class DecoderModel: Sendable {
  public let geometry: ModelGeometry
  public let variant: Variant
  public let settings: DecoderSettings
  /// One layout a layer.
  public let layouts: [KVLayout]
  /// `[V × D]`.
  public let embedding: WeightMatrix
  public let layers: [DecoderLayer]
  /// RMSNorm weight before the head, D elements.
  public let finalNorm: [Float]
  /// `[V × D]`; the embedding where tied.
  public let head: Linear
  /// Where the weights come from: `random`, or a folder's name.
  public let weightSource: String
  /// Identifies the weights: a hash of their values, or of what generated them.
  public let weightHash: String

  /// - Precondition: one layer a layout.
  public init(
    geometry: ModelGeometry, variant: Variant, settings: DecoderSettings, layouts: [KVLayout],
    embedding: WeightMatrix, layers: [DecoderLayer], finalNorm: [Float], head: Linear?,
    weightSource: String, weightHash: String
  ) {
    precondition(layers.count == layouts.count, "one layer a layout")
    self.geometry = geometry
    self.variant = variant
    self.settings = settings
    self.layouts = layouts
    self.embedding = embedding
    self.layers = layers
    self.finalNorm = finalNorm
    self.head = head ?? Linear(weight: embedding)
    self.weightSource = weightSource
    self.weightHash = weightHash
  }

  /// How the matrices are stored.
  public var format: WeightFormat { embedding.format }

  /// The head, or nil where it is the embedding.
  public var untiedHead: Linear? { head.weight === embedding ? nil : head }

  /// Bytes of all weights, a tied head counted once.
  public var weightBytes: Int {
    let norm = finalNorm.count * MemoryLayout<Float>.stride
    return layers.reduce(embedding.byteCount + (untiedHead?.weight.byteCount ?? 0) + norm) {
      $0 + $1.weightBytes
    }
  }

  /// Elements of all weights, a tied head counted once.
  public var parameters: Int {
    let table = geometry.vocabulary * geometry.hidden
    return layers.reduce(table + (untiedHead == nil ? 0 : table) + finalNorm.count) {
      $0 + $1.parameters
    }
  }

  /// FLOPs of the linear layers for one token, heads and MLPs and latent attention's per-head
  /// products included, of a mixture the experts that run; a multiply and an add counted as two.
  public var linearFLOPsPerToken: Int {
    2
      * layers.reduce(geometry.vocabulary * geometry.hidden) {
        $0 + $1.attention.parameters + $1.feedForward.multipliedPerToken
      }
  }
}
