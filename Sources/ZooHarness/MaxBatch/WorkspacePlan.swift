import AttentionCore
import CAttentionKernels
import ZooPlanner

/// Bytes of scratch that the decoder holds after a prefill chunk and decode steps of a batch: what
/// the search for the largest batch counts beside weights and cache.
///
/// Legend: D hidden width, F MLP width, V vocabulary, N query heads. A call of T tokens holds
/// 3·D + 2·F floats a token, V a row of logits, and the operands of attention; the largest call is
/// the chunk or the batch, whichever has more tokens. A mixture of experts gathers its tokens in
/// another 2·D floats a token, beside their scores and choices; F is the widest MLP that runs.
public struct WorkspacePlan: Sendable, Hashable {
  private let geometry: ModelGeometry
  private let layouts: [KVLayout]
  private let threads: Int
  private let chunk: Int
  private let traits: WeightTraits

  /// - Parameters:
  ///   - layouts: one a layer.
  ///   - threads: of the worker pool.
  ///   - chunk: tokens of the prefill chunk, of one sequence that starts empty.
  ///   - traits: what the weights have beyond a Llama's.
  public init(
    geometry: ModelGeometry, layouts: [KVLayout], threads: Int, chunk: Int,
    traits: WeightTraits = .llama
  ) {
    self.geometry = geometry
    self.layouts = layouts
    self.threads = threads
    self.chunk = chunk
    self.traits = traits
  }

  /// Bytes for `sequences` decoded together.
  public func bytes(sequences: Int) -> Int {
    let tokens = max(chunk, sequences)
    let float = MemoryLayout<Float>.stride
    let perToken =
      3 * geometry.hidden + 2 * widestMLP + attentionFloats + mixtureFloats
      + (traits.queryRank ?? 0)
    return float * (tokens * perToken + sequences * geometry.vocabulary)
      + projectionBytes + attendBytes(tokens: tokens) + expandedBytes
  }

  /// Inner width of the widest MLP of any layer.
  private var widestMLP: Int {
    layouts.map { layout in
      guard let experts = traits.experts, experts.isIn(layer: layout.layer) else {
        return geometry.mlpWidth
      }
      return max(experts.width, experts.allSharedWidth)
    }.max() ?? 0
  }

  /// Floats a token that a mixture of experts holds: scores, choices and assignments of four
  /// floats each, the tokens of an expert and its results.
  private var mixtureFloats: Int {
    guard let experts = traits.experts,
      layouts.contains(where: { experts.isIn(layer: $0.layer) })
    else { return 0 }
    return experts.count + 8 * experts.active + 2 * geometry.hidden
  }

  /// Floats a token of the largest operand of each kind among the layers: queries, keys, values,
  /// queries in stream order, sums, sums in token order, and the rotary table.
  private var attentionFloats: Int {
    var widest = [0, 0, 0, 0, 0, 0, 0]
    for layout in layouts {
      let shape = layout.shape
      let heads = shape.streams * shape.queryHeadsPerStream
      let operands: [Int]
      switch layout.heads {
      case .grouped:
        let wide = heads * shape.keyWidth
        // With one stream both orders of heads are the same.
        let turned = shape.streams == 1 ? 0 : wide
        operands = [
          wide, shape.streams * shape.keyWidth, shape.streams * shape.valueWidth, turned, wide,
          turned, shape.keyWidth,
        ]
      case .latent(let latent):
        operands = [
          heads * latent.headWidth, latent.rowWidth, 0, heads * latent.rowWidth,
          heads * latent.rank, heads * latent.valueWidth, latent.ropeWidth,
        ]
      }
      for index in widest.indices { widest[index] = max(widest[index], operands[index]) }
    }
    return widest.reduce(0, +)
  }

  /// A widened block of 256 outputs a worker, of the widest projection's inputs.
  private var projectionBytes: Int {
    var widest = max(geometry.hidden, widestMLP, traits.queryRank ?? 0)
    for layout in layouts {
      switch layout.heads {
      case .grouped:
        widest = max(widest, geometry.queryHeads * layout.shape.valueWidth)
      case .latent(let latent):
        widest = max(
          widest, geometry.queryHeads * latent.valueWidth, latent.rank, latent.nopeWidth)
      }
    }
    return threads * 256 * widest * MemoryLayout<Float>.stride
  }

  /// What attend itself holds: a partial result a thread and four a thread for blocks that are
  /// split, of up to 128 query rows each; a tile a thread; the bounds of what each row sees.
  private func attendBytes(tokens: Int) -> Int {
    func largest(_ bytes: (RowShape) -> Int) -> Int { layouts.map { bytes($0.shape) }.max() ?? 0 }
    let rows = { (shape: RowShape) in max(128, shape.queryHeadsPerStream) }
    return largest { 5 * threads * rows($0) * ($0.valueWidth + 2) * MemoryLayout<Float>.stride }
      + largest { tileBytes(rows: rows($0), keyWidth: $0.keyWidth, valueWidth: $0.valueWidth) }
      + largest { 2 * tokens * $0.queryHeadsPerStream * MemoryLayout<Int64>.stride }
  }

  private func tileBytes(rows: Int, keyWidth: Int, valueWidth: Int) -> Int {
    threads * attn_workspace_bytes(Int32(rows), Int32(keyWidth), Int32(valueWidth))
  }

  /// What latent attention holds for the chunk where expanding its rows takes fewer FLOPs: a tile
  /// of rows, keys and values of one head a thread, and the sums of all heads.
  private var expandedBytes: Int {
    layouts.map { layout in
      guard case .latent(let latent) = layout.heads,
        2 * latent.rank > latent.nopeWidth + latent.valueWidth
      else { return 0 }
      let tile = Self.expandedTile
      let perThread =
        tile * (latent.headWidth + latent.valueWidth)
        + max(latent.nopeWidth, latent.valueWidth) * latent.rank
      let sums = geometry.queryHeads * chunk * (latent.valueWidth + 2)
      return (tile * latent.rowWidth + threads * perThread + sums) * MemoryLayout<Float>.stride
        + tileBytes(rows: 128, keyWidth: latent.headWidth, valueWidth: latent.valueWidth)
    }.max() ?? 0
  }

  /// Rows of a latent cache that are expanded at a time.
  private static let expandedTile = 512
}
