import AttentionCore
import ZooLinearAlgebra
import ZooMemory

/// A decoder that is read one layer at a time: what conversion and streaming evaluation need.
///
/// A layer is read, and its memory taken, each time it is asked for.
public protocol LayerSource: Sendable {
  var geometry: ModelGeometry { get }
  /// The variant that the weights are stored as.
  var variant: Variant { get }
  var settings: DecoderSettings { get }
  /// One layout a layer.
  var layouts: [KVLayout] { get }
  /// Where the weights come from: `random`, or a folder's name.
  var weightSource: String { get }
  /// Identifies the weights that have been read so far; of the whole model once all are.
  var weightHash: String { get }

  /// `[V × D]`.
  func embedding() throws -> WeightMatrix
  /// Reads the tensors of this layer only.
  func layer(_ index: Int) throws -> DecoderLayer
  /// RMSNorm weight before the head, D elements.
  func finalNorm() throws -> [Float]
  /// `[V × D]`; nil where the head is the embedding.
  func head() throws -> Linear?
}

/// A model in memory, read layer by layer.
public struct ResidentLayers: LayerSource {
  public let model: DecoderModel

  public init(_ model: DecoderModel) { self.model = model }

  public var geometry: ModelGeometry { model.geometry }
  public var variant: Variant { model.variant }
  public var settings: DecoderSettings { model.settings }
  public var layouts: [KVLayout] { model.layouts }
  public var weightSource: String { model.weightSource }
  public var weightHash: String { model.weightHash }

  public func embedding() -> WeightMatrix { model.embedding }
  public func layer(_ index: Int) -> DecoderLayer { model.layers[index] }
  public func finalNorm() -> [Float] { model.finalNorm }
  public func head() -> Linear? { model.untiedHead }
}

extension DecoderModel {
  /// The model as a source of layers.
  public var layerSource: ResidentLayers { ResidentLayers(self) }

  /// A model with every layer of `source` in memory.
  /// - Throws: what the source throws.
  public convenience init(reading source: some LayerSource) throws {
    let embedding = try source.embedding()
    let layers = try source.layouts.map { try source.layer($0.layer) }
    let finalNorm = try source.finalNorm()
    let head = try source.head()
    self.init(
      geometry: source.geometry, variant: source.variant, settings: source.settings,
      layouts: source.layouts, embedding: embedding, layers: layers, finalNorm: finalNorm,
      head: head, weightSource: source.weightSource, weightHash: source.weightHash)
  }

  /// A model from a Hugging Face folder, as its own variant.
  ///
  /// - Parameters:
  ///   - name: what lists and result rows call the model.
  ///   - format: how matrices are kept; nil: as stored.
  /// - Throws: as ``CheckpointLayers``.
  public convenience init(
    checkpoint: CheckpointFolder, name: String, format: WeightFormat? = nil, pool: WorkerPool
  ) throws {
    try self.init(
      reading: CheckpointLayers(folder: checkpoint, name: name, format: format, pool: pool))
  }
}
