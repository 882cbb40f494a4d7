import AttentionCore
import AttentionZoo
import ZooLinearAlgebra
import ZooMemory

/// What a Llama-family decoder has beside its geometry.
public struct DecoderSettings: Sendable, Hashable {
  /// Epsilon of every RMSNorm.
  public var normEpsilon: Float
  /// Base of the rotary frequencies.
  public var ropeTheta: Double

  public init(normEpsilon: Float = 1e-5, ropeTheta: Double = 10_000) {
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
  }
}

/// One decoder layer: x + attention(norm(x)), then x + mlp(norm(x)) with a SwiGLU MLP.
public struct DecoderLayer: Sendable {
  /// RMSNorm weight before attention, D elements.
  public var attentionNorm: [Float]
  public var attention: any AttentionModule
  /// RMSNorm weight before the MLP, D elements.
  public var mlpNorm: [Float]
  /// `[F × D]`.
  public var gate: Linear
  /// `[F × D]`.
  public var up: Linear
  /// `[D × F]`.
  public var down: Linear

  private var mlpBiases: Int {
    (gate.bias?.count ?? 0) + (up.bias?.count ?? 0) + (down.bias?.count ?? 0)
  }

  /// Elements of the MLP's matrices and biases.
  fileprivate var mlpParameters: Int {
    gate.inputs * gate.outputs + up.inputs * up.outputs + down.inputs * down.outputs + mlpBiases
  }

  /// Bytes of the MLP's matrices, as stored, and its float32 biases.
  fileprivate var mlpBytes: Int {
    gate.weight.byteCount + up.weight.byteCount + down.weight.byteCount
      + mlpBiases * MemoryLayout<Float>.stride
  }
}

/// A Llama-family decoder around interchangeable attention modules; immutable.
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

  private var untiedHead: WeightMatrix? { head.weight === embedding ? nil : head.weight }

  /// Bytes of all weights, a tied head counted once.
  public var weightBytes: Int {
    let norms = (layers.count * 2 + 1) * geometry.hidden * MemoryLayout<Float>.stride
    return layers.reduce(embedding.byteCount + (untiedHead?.byteCount ?? 0) + norms) {
      $0 + $1.attention.weightBytes + $1.mlpBytes
    }
  }

  /// Elements of all weights, a tied head counted once.
  public var parameters: Int {
    let table = geometry.vocabulary * geometry.hidden
    return layers.reduce(table + (untiedHead == nil ? 0 : table) + finalNorm.count) {
      $0 + $1.attention.parameters + $1.mlpParameters + $1.attentionNorm.count + $1.mlpNorm.count
    }
  }

  /// FLOPs of the linear layers for one token, heads and MLPs and latent attention's per-head
  /// products included, a multiply and an add counted as two.
  public var linearFLOPsPerToken: Int {
    2
      * layers.reduce(geometry.vocabulary * geometry.hidden) {
        $0 + $1.attention.parameters + 3 * geometry.hidden * geometry.mlpWidth
      }
  }
}
